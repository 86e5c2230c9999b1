"""What each page says, from a bus in memory."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quantbus_services.monitor.board import Board, Outcome
from quantbus_services.monitor.checks.orders.position_mismatch import NOBODY_READS
from quantbus_services.monitor.pages import Assets
from quantbus_services.monitor.pages.verdict import Verdict, verdict_on
from tests.unit.services.monitor.pages.conftest import Browser
from tests.unit.services.monitor.pages.full_day import HOSTILE, with_account
from tests.unit.services.monitor.pages.scene import NOW, critical

PAGES = (
    "/",
    "/strategies",
    "/strategies/momentum-1m",
    "/candles",
    "/positions",
    "/data",
    "/findings",
    "/controls",
)


@pytest.mark.parametrize("path", PAGES)
async def test_no_page_lets_a_string_from_outside_become_html(busy: Browser, path: str) -> None:
    newest = busy.scene.memory.signals[-1].signal_id
    for page in (path, f"/signals/{newest}"):
        text = await busy.text(page)
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "<b>bold</b>" not in text
        assert " 49 " not in text


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_forbids_what_it_does_not_need(browser: Browser, path: str) -> None:
    answer = await browser.get(path)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert " style=" not in answer.text
    assert " onclick" not in answer.text
    assert "<script>" not in answer.text


@pytest.mark.parametrize("path", PAGES)
async def test_without_a_bus_no_page_shows_what_was_known_before(busy: Browser, path: str) -> None:
    busy.scene.board.bus_failed("expected an answer, found <none>")
    text = await busy.text(path, code=503)
    assert "Nothing is known" in text
    assert "expected an answer, found &lt;none&gt;" in text
    assert "quantbus bus status" in text
    assert "filled" not in text


async def test_a_bus_that_fails_under_a_page_is_told_and_not_called_fine(busy: Browser) -> None:
    busy.scene.memory.down = True
    text = await busy.text("/findings", code=503)
    assert "<h1>The bus did not answer</h1>" in text
    assert "expected an answer from the bus, found none (fake)" in text


async def test_the_overview_says_in_one_look_that_all_is_well(browser: Browser) -> None:
    text = await browser.text("/")
    assert "<h1>All is well</h1>" in text
    assert "icon-good.svg" in text


async def test_the_overview_says_what_is_wrong_and_what_to_do_the_worst_first(busy: Browser) -> None:
    text = await busy.text("/")
    assert "<h1>2 things need you now</h1>" in text
    assert "1 check could not find out" in text
    assert text.index("trade without signal") < text.index("expected an answer from the bus within 3 s")
    assert "compare the bot&#39;s /api/v1/status" in text
    assert "22 min ago" in text  # when it was first seen, by whichever monitor
    assert "1 of 3 streams late" in text
    assert "1 of 4 silent" in text
    assert "sides disagree" in text


async def test_what_somebody_has_taken_on_no_longer_calls(busy: Browser) -> None:
    taken = replace(critical("candle_stale", "x"), acknowledged=True)
    for check in ("signal_missing", "position_mismatch", "heartbeat_lost"):
        busy.scene.find(check)
    busy.scene.find("candle_stale", taken)
    text = await busy.text("/")
    assert "<h1>1 finding taken on</h1>" in text
    assert ">taken on</span>" in text


async def test_a_check_that_does_not_know_is_not_called_fine(browser: Browser) -> None:
    browser.scene.find("candle_stale", error="expected an answer, found none")
    assert "<h1>Not all is known</h1>" in await browser.text("/")


async def test_a_monitor_whose_loop_stands_still_knows_nothing(browser: Browser) -> None:
    browser.scene.clock.advance(timedelta(minutes=5))
    text = await browser.text("/")
    assert "<h1>Nothing is known</h1>" in text
    assert "stood still for 5 min" in text


async def test_strategies_are_told_with_what_they_promised(busy: Browser) -> None:
    text = await busy.text("/strategies")
    assert text.index("quiet-one") < text.index("mean-revert") < text.index("momentum-1m")
    assert "every 5 bars of 1m" in text
    assert "nothing regular" in text
    assert ">silent<" in text
    assert ">late<" in text


async def test_a_strategy_tells_its_promise_its_signals_and_their_delays(busy: Browser) -> None:
    text = await busy.text("/strategies/momentum-1m")
    assert "at every bar of 1m, within 30 s after the close" in text
    assert "refused: no slot" in text
    assert "seen by no bot" in text
    drawn = (await busy.get("/strategies/momentum-1m/delays.json")).json()
    assert len(drawn["times"]) == 15
    assert drawn["publish"][-1] == pytest.approx(2.4)
    assert drawn["consume"][-1] is None
    assert drawn["consume"][0] == pytest.approx(0.7)


async def test_a_strategy_nobody_declared_is_not_found(browser: Browser) -> None:
    assert "No strategy of this name is declared" in await browser.text("/strategies/%3Cb%3E", code=404)
    assert (await browser.get("/strategies/none/delays.json")).status_code == 404


async def test_a_signals_life_is_a_waterfall_down_to_the_fill(busy: Browser) -> None:
    filled = busy.scene.memory.signals[-2]
    text = await busy.text(f"/signals/{filled.signal_id}")
    steps = ["bar close", "ingested", "computed", "available", "seen", "ordered", "filled"]
    places = [text.index(f'<th scope="row">{step}<') for step in steps]
    assert places == sorted(places)
    assert "It was traded." in text
    assert text.count('class="hop"') == len(steps)


async def test_a_signal_that_was_not_traded_says_why_and_what_to_do(busy: Browser) -> None:
    refused = busy.scene.memory.signals[4]
    text = await busy.text(f"/signals/{refused.signal_id}")
    assert "It was not traded." in text
    assert "as many trades were open as max_open_trades allows" in text
    assert "Raise max_open_trades, or publish exits sooner." in text
    assert "not reached" in text


async def test_a_signal_that_the_bus_does_not_know_is_not_found(browser: Browser) -> None:
    assert "knows no signal" in await browser.text("/signals/0123", code=404)


async def test_candles_come_with_their_signals_and_fills(busy: Browser) -> None:
    text = await busy.text("/candles?symbol=BINANCE%3ABTCUSDT&timeframe=1m")
    assert "The last 40 bars" in text
    assert "sell 0.0125 at 96,412.5" in text
    drawn = (await busy.get("/candles.json?symbol=BINANCE:BTCUSDT&timeframe=1m")).json()
    assert len(drawn["candles"]) == 240
    kinds = [mark["kind"] for mark in drawn["marks"]]
    assert (kinds.count("signal"), kinds.count("fill")) == (15, 12)
    times = [mark["time"] for mark in drawn["marks"]]
    assert times == sorted(times)


async def test_bars_nobody_looks_at_are_not_shown(busy: Browser) -> None:
    await busy.text("/candles?symbol=BINANCE%3ADOGEUSDT&timeframe=1m", code=404)
    assert (await busy.get("/candles.json?symbol=%3Cscript%3E&timeframe=1m")).status_code == 404


async def test_without_libraries_a_page_with_a_chart_says_how_to_get_it(busy: Browser) -> None:
    object.__setattr__(busy.scene.site, "assets", Assets("tests.unit"))
    text = await busy.text("/candles")
    assert "make web" in text
    assert "The last 40 bars" in text


async def test_positions_say_plainly_that_the_account_is_absent(busy: Browser) -> None:
    text = await busy.text("/positions")
    assert "Two sides only" in text
    assert "no signal" in text
    assert "trade without signal" in text
    with_account(busy.scene.memory)
    text = await busy.text("/positions")
    assert "Two sides only" not in text
    assert "What the account paper says" in text
    assert "spot fills: unknown, for the venue answered 503" in text


def test_a_first_look_that_does_not_end_is_not_called_starting_for_ever() -> None:
    board = Board(("candle_stale",), with_bot=False)
    board.bus_answered(0.0)

    def verdict(seconds: float) -> Verdict:
        begun = NOW - timedelta(seconds=seconds)
        return verdict_on(board.status(NOW), None, NOW, timedelta(minutes=1), started_at=begun)

    assert (verdict(59).level, verdict(59).title) == ("look", "Starting")
    assert (verdict(61).level, verdict(61).title) == ("bad", "Nothing is known")
    assert "log says why" in verdict(61).sentence


async def test_a_live_bot_whose_account_nobody_reads_is_not_called_agreed_upon(busy: Browser) -> None:
    noted = f"two sides, signals and bot: {NOBODY_READS}"
    busy.scene.board.put(Outcome("position_mismatch", NOW, note=noted))
    text = await busy.text("/")
    assert "nobody reads the account" in text
    assert "the sides agree" not in text
    busy.scene.board.put(
        Outcome("position_mismatch", NOW, note="two sides, signals and bot: it is a dry run")
    )
    assert "the sides agree" in await busy.text("/")


async def test_a_bot_that_does_not_answer_is_unknown_not_flat(busy: Browser) -> None:
    busy.scene.board.bot_asked(answered=False)
    text = await busy.text("/positions")
    assert "what Freqtrade holds is unknown" in text


async def test_late_streams_come_first_and_open_gaps_are_told(busy: Browser) -> None:
    text = await busy.text("/data")
    assert text.index("BINANCE:XRPUSDT") < text.index("BINANCE:BTCUSDT")
    assert "1 of 3 streams that strategies need is late" in text
    assert "retrying" in text
    assert "BINANCE:SOLUSDT" not in text  # a strategy without a cadence was promised to nobody


async def test_findings_tell_since_when_and_how_to_take_them_on(busy: Browser) -> None:
    text = await busy.text("/findings")
    assert "22 min ago" in text
    assert "quantbus monitor ack" in text
    assert "Over, in the last two days" in text
    assert "any disagreement older than the settle limit" in text or "looked" in text


async def test_hostile_text_is_shown_as_it_is(browser: Browser) -> None:
    browser.scene.find("candle_stale", critical("candle_stale", "x", message=HOSTILE))
    text = await browser.text("/")
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "{{ 7 * 7 }}" in text


async def test_static_files_are_a_fixed_list(browser: Browser) -> None:
    css = await browser.get("/static/page.css")
    assert css.headers["content-type"].startswith("text/css")
    assert css.headers["cache-control"] == "no-cache"
    assert (await browser.get("/static/..%2Froom.py")).status_code == 404
    assert (await browser.get("/static/none.js")).status_code == 404
    marked = browser.scene.site.assets.url("page.css")
    assert "immutable" in (await browser.get(marked)).headers["cache-control"]


async def test_times_are_told_as_of_the_buss_clock(browser: Browser) -> None:
    browser.scene.board.bus_answered(90.0)
    assert f"{NOW + timedelta(seconds=90):%H:%M:%S}" in await browser.text("/strategies")
