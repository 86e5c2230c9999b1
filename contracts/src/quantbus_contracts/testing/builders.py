"""Valid models with everything defaulted; name only what a test is about."""

from datetime import UTC, datetime
from typing import Any

from quantbus_contracts.schema import Candle, Execution, ExecutionState, Signal
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = ["make_candle", "make_candles", "make_execution", "make_signal"]

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def make_candle(**given: Any) -> Candle:
    """Return a valid 1m bar of BTC/USDT."""
    defaults = {
        "symbol": "BINANCE:BTCUSDT",
        "timeframe": "1m",
        "open_time": NOON,
        "open": 100.0,
        "high": 102.0,
        "low": 99.0,
        "close": 101.0,
        "volume": 5.0,
        "source": "test",
    }
    return Candle(**{**defaults, **given})


def make_candles(count: int, *, start: datetime = NOON, timeframe: str = "1m", **given: Any) -> list[Candle]:
    """Return ``count`` consecutive bars from ``start`` on, each a little higher than the one before."""
    step = Timeframe.parse(timeframe).delta
    return [
        make_candle(
            timeframe=timeframe,
            open_time=start + index * step,
            open=100.0 + index,
            high=102.0 + index,
            low=99.0 + index,
            close=101.0 + index,
            **given,
        )
        for index in range(count)
    ]


def make_signal(**given: Any) -> Signal:
    """Return a valid ``enter_long`` of BTC/USDT; ``symbol`` follows ``pair`` unless given."""
    defaults: dict[str, Any] = {
        "strategy_id": "test",
        "pair": "BTC/USDT",
        "timeframe": "1m",
        "ts": NOON,
        "action": "enter_long",
    }
    fields = {**defaults, **given}
    if "symbol" not in fields:
        fields["symbol"] = Instrument.from_pair("BINANCE", fields["pair"]).symbol
    return Signal(**fields)


def make_execution(signal: Signal | None = None, **given: Any) -> Execution:
    """Return a ledger row of ``signal``, seen and no more."""
    signal = signal or make_signal()
    defaults: dict[str, Any] = {
        "consumer_id": "bot",
        "signal_id": signal.signal_id,
        "strategy_id": signal.strategy_id,
        "pair": signal.pair,
        "timeframe": signal.timeframe,
        "ts": signal.ts,
        "version": 1,
        "side": signal.action,
        "state": ExecutionState.SEEN,
        "available_at": signal.closes_at,
        "seen_at": signal.closes_at,
    }
    return Execution(**{**defaults, **given})
