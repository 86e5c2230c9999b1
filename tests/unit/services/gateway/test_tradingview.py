"""Alerts to rows."""

import pytest

from quantbus_services.gateway.tradingview import AlertRefused, alert_of, row_of

ALERT = {"symbol": "BINANCE:BTCUSDT", "interval": "60", "time": "2026-01-05T12:00:00Z"}


def row(**given: object) -> dict[str, object]:
    return row_of(alert_of(ALERT | given), strategy_id="chart", symbol="BINANCE:BTCUSDT", pair="BTC/USDT")


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        ("flat", "long", "enter_long"),
        ("long", "flat", "exit_long"),
        ("flat", "short", "enter_short"),
        ("short", "flat", "exit_short"),
        ("long", "short", "enter_short"),
        ("short", "long", "enter_long"),
    ],
)
def test_a_change_of_position_is_an_action(before: str, after: str, action: str) -> None:
    assert row(prev_market_position=before, market_position=after)["action"] == action


@pytest.mark.parametrize("side", ["long", "short", "flat"])
def test_a_position_that_stays_is_none(side: str) -> None:
    with pytest.raises(AlertRefused, match="stays"):
        row(prev_market_position=side, market_position=side)


@pytest.mark.parametrize(
    ("interval", "timeframe"),
    [("1", "1m"), ("60", "1h"), ("240", "4h"), ("D", "1d"), ("1D", "1d"), ("4h", "4h")],
)
def test_intervals_have_their_names_on_the_bus(interval: str, timeframe: str) -> None:
    assert row(interval=interval, action="enter_long")["timeframe"] == timeframe


def test_buy_and_sell_are_no_actions_since_sell_may_mean_two_things() -> None:
    for word in ("buy", "sell", "BUY"):
        with pytest.raises(AlertRefused):
            row(action=word)


def test_what_was_not_said_is_not_in_the_row() -> None:
    assert set(row(action="exit_long")) == {
        "strategy_id",
        "symbol",
        "pair",
        "timeframe",
        "ts",
        "action",
        "source",
    }
