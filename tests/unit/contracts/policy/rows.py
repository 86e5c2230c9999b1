"""Signals as they stand on the bus, for tests of the policy."""

from datetime import UTC, datetime, timedelta
from typing import Any

from quantbus_contracts.schema import PublishedSignal, Signal
from quantbus_contracts.timeframe import Timeframe

TS = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
CLOSE = TS + MINUTE
"""Close of the 1m bar that opens at `TS`."""


def published(
    action: str | None = "enter_long",
    *,
    ts: datetime = TS,
    available_at: datetime | None = None,
    valid_until: datetime | None = None,
    version: int = 1,
    **fields: Any,
) -> PublishedSignal:
    """Return a 1m signal that appeared one second after its bar closed, valid for an hour."""
    signal = Signal(
        strategy_id="demo",
        symbol="BINANCE:BTCUSDT",
        pair="BTC/USDT",
        **{"timeframe": "1m", "ts": ts, "action": action, "valid_until": valid_until} | fields,
    )
    close = Timeframe.parse(signal.timeframe).close_of(ts)
    return PublishedSignal(
        signal=signal,
        version=version,
        available_at=available_at or close + timedelta(seconds=1),
        valid_until=valid_until or close + timedelta(hours=1),
        published_by="tests",
    )
