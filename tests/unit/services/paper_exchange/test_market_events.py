"""The market list as events change it, and every answer that has to obey it."""

from datetime import timedelta

import numpy as np
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.synthetic import SyntheticSource, synthetic_listing
from quantbus_services.paper_exchange.listings.events import EventKind, MarketEvent, MarketEvents
from quantbus_services.paper_exchange.market import Market
from tests.unit.services.paper_exchange.recordings import DAY, MINUTE, START

M1, M5, H1 = (Timeframe.parse(name) for name in ("1m", "5m", "1h"))
AT = START + 10 * 60 * MINUTE + 7 * MINUTE  # 10:07
EARLIER, LATER = AT - MINUTE, AT + 30 * MINUTE


def market_with(*events: MarketEvent) -> Market:
    listings = [synthetic_listing("BTC", "USDT"), synthetic_listing("ETH", "USDT")]
    source = SyntheticSource(listings, seed=1, now_ms=START, history=timedelta(days=2))
    return Market(source, events=MarketEvents(events))


def event(kind: EventKind, **more: object) -> MarketEvent:
    row = {"kind": kind, "pair": "ETH/USDT", **more}
    return MarketEvent.parse(row | {"at": "2025-03-01T10:07:00Z"}, now_ms=0)


def opens(market: Market, name: str, timeframe: Timeframe, now_ms: int) -> list[int]:
    return [int(moment) for moment in market.bars(name, timeframe, 0, now_ms + 1, now_ms).open_time]


def test_a_listing_begins_with_its_first_bar_and_no_history() -> None:
    market = market_with(event("list"))
    assert list(market.listed(AT - 1)) == ["BTCUSDT"]
    assert list(market.listed(AT)) == ["BTCUSDT", "ETHUSDT"]
    assert opens(market, "ETHUSDT", M1, AT) == [AT]
    assert opens(market, "ETHUSDT", M1, LATER)[0] == AT
    assert market.trades("ETHUSDT", AT - 10 * MINUTE, LATER, LATER)[0].time_ms >= AT
    assert market.last_price("ETHUSDT", AT) > 0


def test_a_coarse_bar_in_which_trading_began_is_made_of_what_was_traded() -> None:
    market, plain = market_with(event("list")), market_with()
    first = market.bars("ETHUSDT", H1, 0, LATER, START + 12 * 60 * MINUTE).bar(0)
    minutes = plain.bars("ETHUSDT", M1, AT, START + 11 * 60 * MINUTE, START + 12 * 60 * MINUTE)
    assert first.open_time == START + 10 * 60 * MINUTE
    assert (first.open, first.close) == (minutes.open[0], minutes.close[-1])
    assert (first.high, first.low) == (minutes.high.max(), minutes.low.min())


def test_a_delisted_market_stays_in_the_list_halted_with_its_history() -> None:
    market, plain = market_with(event("delist")), market_with()
    assert market.status("ETHUSDT", AT - 1) == "TRADING"
    assert market.status("ETHUSDT", AT) == "BREAK"
    assert opens(market, "ETHUSDT", M1, LATER)[-1] == AT - MINUTE
    assert market.book("ETHUSDT", 5, LATER).bids == []
    assert market.forming("ETHUSDT", LATER) is None
    assert market.trades("ETHUSDT", EARLIER, LATER, LATER)[-1].time_ms < AT
    assert market.last_price("ETHUSDT", LATER) == plain.last_closed("ETHUSDT", AT).close
    assert market.status("BTCUSDT", LATER) == "TRADING"


def test_a_removed_market_is_gone() -> None:
    market = market_with(event("remove"))
    assert "ETHUSDT" in market.listed(AT - 1)
    assert "ETHUSDT" not in market.listed(AT)


def test_a_renamed_market_takes_its_history_along() -> None:
    market = market_with(event("rename", to="XETH/USDT"))
    assert list(market.listed(AT - 1)) == ["BTCUSDT", "ETHUSDT"]
    assert list(market.listed(AT)) == ["BTCUSDT", "XETHUSDT"]
    assert market.listed(AT)["XETHUSDT"].pair == "XETH/USDT"
    before = market.bars("ETHUSDT", M5, 0, AT, AT - 1)
    after = market.bars("XETHUSDT", M5, 0, AT - 5 * MINUTE, AT)
    assert after.rows(0, 100).close.tolist() == before.rows(0, 100).close.tolist()


def test_prices_keep_to_the_steps_of_their_time() -> None:
    market, plain = market_with(event("tick", price_decimals=0)), market_with()
    assert market.listed(AT - 1)["ETHUSDT"].tick == 0.01
    assert market.listed(AT)["ETHUSDT"].tick == 1
    bars = market.bars("ETHUSDT", M1, AT - 10 * MINUTE, LATER, LATER)
    true = plain.bars("ETHUSDT", M1, AT - 10 * MINUTE, LATER, LATER)
    assert bars.close[:10].tolist() == true.close[:10].tolist()
    assert bars.close[10:].tolist() == true.close[10:].round(0).tolist()
    assert np.all(bars.low <= np.minimum(bars.open, bars.close))
    assert np.all(bars.high >= np.maximum(bars.open, bars.close))
    old, new = (market.trades("ETHUSDT", at, at + 5 * MINUTE - 1, LATER) for at in (AT - 5 * MINUTE, AT))
    assert any(trade.price % 1 for trade in old)
    assert not any(trade.price % 1 for trade in new)
    assert all(price % 1 == 0 for price, _ in market.book("ETHUSDT", 10, LATER).asks)


def test_coarse_bars_agree_with_their_minutes_under_every_event() -> None:
    for kind, more in (("list", {}), ("delist", {}), ("tick", {"price_decimals": 0})):
        market = market_with(event(kind, **more))  # type: ignore[arg-type]
        now = START + 14 * 60 * MINUTE
        minutes = market.bars("ETHUSDT", M1, START, now, now)
        for timeframe in (M5, H1):
            built = minutes.aggregate(timeframe.seconds * 1000)
            coarse = market.bars("ETHUSDT", timeframe, START, now, now)
            assert coarse.open_time.tolist() == built.open_time.tolist()
            assert coarse.close.tolist() == built.close.tolist()
            np.testing.assert_allclose(coarse.volume, built.volume)


def test_an_event_inside_a_bar_waits_for_the_next() -> None:
    row = {"kind": "delist", "pair": "ETH/USDT", "at": "2025-03-01T10:06:12Z"}
    market = market_with(MarketEvent.parse(row, now_ms=0))
    assert market.status("ETHUSDT", AT - 1) == "TRADING"
    assert market.status("ETHUSDT", AT) == "BREAK"


def test_a_market_can_be_listed_again_under_its_old_name() -> None:
    gone = MarketEvent("remove", "ETH/USDT", AT)
    back = MarketEvent("list", "ETH/USDT", AT + 20 * MINUTE)
    market = market_with(gone, back)
    assert "ETHUSDT" in market.listed(EARLIER)
    assert "ETHUSDT" not in market.listed(AT + 10 * MINUTE)
    assert opens(market, "ETHUSDT", M1, LATER)[0] == AT + 20 * MINUTE


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"kind": "list"}, "kind and pair"),
        ({"kind": "explode", "pair": "ETH/USDT"}, "explode"),
        ({"kind": "list", "pair": "ETHUSDT"}, "ETHUSDT"),
        ({"kind": "list", "pair": "ETH/USDT", "at": "soon"}, "soon"),
        ({"kind": "list", "pair": "ETH/USDT", "at": "2026-01-05T12:00:00"}, "12:00:00Z"),
        ({"kind": "rename", "pair": "ETH/USDT"}, "'to' with a rename"),
        ({"kind": "tick", "pair": "ETH/USDT"}, "'price_decimals'"),
        ({"kind": "tick", "pair": "ETH/USDT", "price_decimals": 9}, "0 to 8"),
        ({"kind": "list", "pair": "ETH/USDT", "market": "options"}, "options"),
        ({"kind": "list", "pair": "ETH/USDT", "colour": 1}, "colour"),
    ],
)
def test_an_event_of_another_form_is_refused_with_what_was_found(row: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        MarketEvent.parse(row, now_ms=0)


def test_times_may_be_given_from_now_on() -> None:
    row = {"kind": "delist", "pair": "ETH/USDT", "market": "swap"}
    assert MarketEvent.parse(row | {"at": "+10m"}, now_ms=START).at_ms == START + 10 * MINUTE
    assert MarketEvent.parse(row, now_ms=START).at_ms == START
    event = MarketEvent.parse(row | {"at": "+1d"}, now_ms=START)
    assert MarketEvent.parse(event.as_row(), now_ms=0) == event
    assert event.at_ms == START + DAY


def test_events_of_one_side_leave_the_other_alone() -> None:
    market = market_with(MarketEvent("delist", "ETH/USDT", AT, market="swap"))
    assert market.status("ETHUSDT", LATER) == "TRADING"
