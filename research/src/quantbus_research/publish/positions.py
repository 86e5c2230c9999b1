"""What a strategy has said so far about a pair, read from the bus and never from memory.

So a restarted worker, or another one, comes to the same position.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.ports import SignalReader
from quantbus_contracts.schema import Origin, PublishedSignal
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Position", "position_before", "read_position"]

# Most questions are answered by the newest few rows; the last window reaches back years.
_WINDOWS_BARS = (200, 5_000, 2_000_000)


@dataclass(frozen=True, slots=True)
class Position:
    """Where the strategy stands by its own word: long since a bar, or flat since one (or ever)."""

    long_since: datetime | None = None
    flat_since: datetime | None = None

    def bars_long(self, timeframe: Timeframe, bar: datetime) -> int | None:
        """Return for how many bars it has been long; None when flat."""
        return None if self.long_since is None else timeframe.count(self.long_since, bar)

    def bars_flat(self, timeframe: Timeframe, bar: datetime) -> int | None:
        """Return how many bars ago it left; None when long, or when it never was."""
        return None if self.flat_since is None else timeframe.count(self.flat_since, bar)


def position_before(signals: Iterable[PublishedSignal], origins: frozenset[Origin]) -> Position:
    """Replay signals, oldest first; a second entry does not restart the clock of the first.

    A weight other than zero is an entry, to either side; zero is an exit.
    """
    position = Position()
    for published in signals:
        signal = published.signal
        if signal.origin not in origins:
            continue
        weight = signal.weight if signal.action is None else None
        if signal.action == "enter_long" or (weight is not None and weight != 0.0):
            position = position if position.long_since else Position(long_since=signal.ts)
        elif signal.action == "exit_long" or weight is not None:
            position = Position(flat_since=signal.ts)
    return position


def read_position(
    history: SignalReader,
    strategy_id: str,
    pair: str,
    timeframe: Timeframe,
    bar: datetime,
    *,
    origin: Origin,
) -> Position:
    """Return the position by what was said about bars before ``bar``.

    A live position is made of live signals only: ``backfill`` rows never trade.
    """
    origins: frozenset[Origin] = frozenset({"live"}) if origin == "live" else frozenset({"live", origin})
    position = Position()
    for bars in _WINDOWS_BARS:
        rows = history.range(strategy_id, timeframe, pair, bar - bars * timeframe.delta, bar)
        position = position_before(rows, origins)
        if position != Position():
            break
    return position
