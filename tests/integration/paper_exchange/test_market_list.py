"""A market list that changes while clients look, and a clock that is not the machine's."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import ccxt
import httpx
import pytest

from quantbus_services.paper_exchange import PaperExchange, ccxt_config
from tests.integration.paper_exchange.conftest import PaperStarter
from tests.unit.services.paper_exchange.recordings import recording, write_parquet

pytestmark = pytest.mark.integration
MINUTE = 60_000
START = datetime(2025, 3, 1, 10, 30, tzinfo=UTC)


@pytest.fixture
def paper() -> Iterator[PaperExchange]:
    with PaperExchange(symbols="BTC/USDT,ETH/USDT", start=START, history=timedelta(days=2)) as running:
        yield running


def client(paper: PaperExchange) -> ccxt.binance:
    return ccxt.binance(paper.ccxt_config(enableRateLimit=False))


def happens(paper: PaperExchange, **event: object) -> httpx.Response:
    return httpx.post(f"{paper.url}/paper/events", json=event)


def test_every_route_obeys_an_event(paper: PaperExchange) -> None:
    assert happens(paper, kind="list", pair="SOL/USDT").status_code == 200
    assert happens(paper, kind="delist", pair="ETH/USDT").status_code == 200
    assert happens(paper, kind="tick", pair="BTC/USDT", market="spot", price_decimals=0).status_code == 200
    paper.venue.clock.jump(timedelta(minutes=1))
    exchange = client(paper)
    markets = exchange.load_markets()
    assert markets["SOL/USDT"]["active"]
    assert markets["SOL/USDT:USDT"]["active"]
    assert not markets["ETH/USDT"]["active"]
    assert not markets["ETH/USDT:USDT"]["active"]
    assert markets["BTC/USDT"]["precision"]["price"] == 1
    assert markets["BTC/USDT:USDT"]["precision"]["price"] == 0.01
    paper.venue.clock.jump(timedelta(minutes=5))
    assert len(exchange.fetch_ohlcv("SOL/USDT", "1m", since=0)) <= 7
    assert exchange.fetch_order_book("ETH/USDT")["bids"] == []
    since = int(START.timestamp() * 1000) + MINUTE
    assert exchange.fetch_ohlcv("ETH/USDT", "1m", since=since) == []
    assert all(row[4] % 1 == 0 for row in exchange.fetch_ohlcv("BTC/USDT", "1m", since=since))
    assert exchange.fetch_ticker("SOL/USDT")["last"] > 0
    assert exchange.fetch_funding_rate("SOL/USDT:USDT")["markPrice"] > 0


def test_a_renamed_and_a_removed_market_answer_no_more_to_their_old_names(paper: PaperExchange) -> None:
    assert happens(paper, kind="rename", pair="ETH/USDT", to="XETH/USDT").status_code == 200
    paper.venue.clock.jump(timedelta(minutes=1))
    exchange = client(paper)
    assert {"XETH/USDT", "XETH/USDT:USDT"} <= set(exchange.load_markets())
    assert len(exchange.fetch_ohlcv("XETH/USDT", "1h", limit=5)) == 5
    assert happens(paper, kind="remove", pair="XETH/USDT").status_code == 200
    paper.venue.clock.jump(timedelta(minutes=1))
    for path in (
        "/api/v3/klines?symbol=XETHUSDT&interval=1m", "/api/v3/depth?symbol=XETHUSDT",
        "/api/v3/ticker/24hr?symbol=ETHUSDT", "/api/v3/trades?symbol=ETHUSDT",
        "/fapi/v1/premiumIndex?symbol=XETHUSDT", "/fapi/v1/openInterest?symbol=ETHUSDT",
        "/fapi/v1/markPriceKlines?symbol=XETHUSDT&interval=1m",
    ):  # fmt: skip
        answer = httpx.get(paper.url + path)
        assert (answer.status_code, answer.json()["code"]) == (400, -1121), path


def test_events_are_listed_and_bad_ones_refused(paper: PaperExchange) -> None:
    assert (
        happens(paper, kind="delist", pair="ETH/USDT", at="+1h").json()["at"].startswith("2025-03-01T11:30")
    )
    (row,) = httpx.get(f"{paper.url}/paper/events").json()
    assert (row["kind"], row["pair"]) == ("delist", "ETH/USDT")
    for event, told in (
        ({"kind": "delist", "pair": "NO/USDT"}, "found 'NO/USDT'"),
        ({"kind": "list", "pair": "BTC/USDT"}, "listed already"),
        ({"kind": "rename", "pair": "BTC/USDT", "to": "ETH/USDT"}, "listed already"),
        ({"kind": "melt", "pair": "BTC/USDT"}, "melt"),
    ):
        answer = happens(paper, **event)
        assert answer.status_code == 400
        assert told in answer.json()["msg"]
    assert httpx.post(f"{paper.url}/paper/events", content="{oops").status_code == 400


@pytest.mark.parametrize("header", [{"Origin": "http://evil.example"}, {"Host": "evil.example"}])
def test_no_page_in_a_browser_may_change_or_read_the_market_list(
    paper: PaperExchange, header: dict[str, str]
) -> None:
    event = {"kind": "delist", "pair": "ETH/USDT"}
    reply = httpx.post(f"{paper.url}/paper/events", content=json.dumps(event), headers=header)
    assert (reply.status_code, reply.json()["code"]) == (403, -1002)
    for path in ("/paper/events", "/paper/clock"):
        assert httpx.get(f"{paper.url}{path}", headers=header).status_code == 403
    assert httpx.get(f"{paper.url}/paper/events").json() == []


def test_a_recording_cannot_list_what_it_does_not_hold(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(4 * 1440))
    with PaperExchange(data=(tmp_path,)) as paper:
        answer = happens(paper, kind="list", pair="SOL/USDT")
    assert answer.status_code == 400
    assert "expected recorded bars of SOL/USDT" in answer.json()["msg"]


def test_every_timestamp_is_of_the_exchanges_clock(paper: PaperExchange) -> None:
    exchange = client(paper)
    now = exchange.fetch_time()
    assert 0 <= now - START.timestamp() * 1000 < 60_000
    for moment in (
        exchange.fetch_ticker("BTC/USDT")["timestamp"],
        exchange.fetch_trades("BTC/USDT", limit=1)[0]["timestamp"] + MINUTE,
        exchange.fetch_ohlcv("BTC/USDT", "1m", limit=1)[0][0] + MINUTE,
        exchange.fetch_funding_rate("BTC/USDT:USDT")["timestamp"],
        exchange.fetch_open_interest("BTC/USDT:USDT")["timestamp"],
    ):
        assert abs(moment - now) < 2 * MINUTE


def test_at_sixty_times_the_speed_bars_close_every_second() -> None:
    with PaperExchange(symbols="BTC/USDT", speed=60, history=timedelta(days=1)) as paper:
        exchange = client(paper)
        exchange.load_markets()
        first = exchange.fetch_ohlcv("BTC/USDT", "1m", limit=1)[0][0]
        wall = exchange.milliseconds()
        while exchange.milliseconds() - wall < 2_000:
            newest = exchange.fetch_ohlcv("BTC/USDT", "1m", limit=1)[0][0]
        passed = (exchange.milliseconds() - wall) / 1000
    assert passed - 1.1 < (newest - first) / MINUTE <= passed + 1.1


def test_a_replay_keeps_its_place_over_a_restart(start_paper: PaperStarter, tmp_path: Path) -> None:
    write_parquet(tmp_path / "data" / "BINANCE_BTCUSDT_1m.parquet", recording(6 * 1440))
    anchor = tmp_path / "anchor"
    options = ("--data", str(tmp_path / "data"), "--anchor-file", str(anchor))
    before = httpx.get(f"{start_paper(*options).url}/health").json()
    written = datetime.fromisoformat(anchor.read_text().strip())
    anchor.write_text((written - timedelta(days=1)).isoformat())  # as if the first start was then
    after = httpx.get(f"{start_paper(*options).url}/health").json()
    later = httpx.get(f"{start_paper(*options).url}/health").json()
    assert before["shift_seconds"] - after["shift_seconds"] == 86_400
    assert later["shift_seconds"] == after["shift_seconds"]
    assert later["symbols"]["BTC/USDT"]["data_ends"] == after["symbols"]["BTC/USDT"]["data_ends"]


def test_events_can_be_declared_in_a_file(start_paper: PaperStarter, tmp_path: Path) -> None:
    declared = tmp_path / "events.json"
    declared.write_text(json.dumps([{"kind": "list", "pair": "SOL/USDT", "at": "+1d"}]))
    paper = start_paper("--events", str(declared), "--no-futures", "--symbols", "BTC/USDT,SOL/USDT")
    assert set(ccxt.binance(ccxt_config(paper.url)).load_markets()) == {"BTC/USDT"}
    (row,) = httpx.get(f"{paper.url}/paper/events").json()
    assert (row["kind"], row["pair"]) == ("list", "SOL/USDT")
