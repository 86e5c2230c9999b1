"""What is replayed, and with which settings."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.settings import ExecutorSettings

__all__ = ["ReplayPlan"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayPlan:
    """One past, as it is handed to each of the runs.

    Attributes
    ----------
    start, end
        Opens of the first bar and behind the last in which may be traded.
    config
        Freqtrade's config of the bot.
    candles
        By pair: columns date (the bar's OPEN, UTC), open, high, low, close, volume; from before ``start`` on.
    signals
        By pair, each with its history; none whose bar closes before ``start``.
    """

    start: datetime
    end: datetime
    config: Mapping[str, Any]
    settings: ExecutorSettings
    timeframe: Timeframe
    candles: Mapping[str, pd.DataFrame]
    signals: Mapping[str, Sequence[PublishedSignal]]

    def __post_init__(self) -> None:
        """Refuse what cannot be replayed."""
        for name, moment in (("from", self.start), ("to", self.end)):
            if not self.timeframe.is_open_time(moment):
                raise ConfigError(
                    f"--{name}: expected the open of a {self.timeframe} bar, found {moment.isoformat()}"
                )
        if self.end - self.start < 3 * self.timeframe.delta:
            raise ConfigError(f"expected at least three bars of {self.timeframe} from --from to --to")
        for pair, frame in self.candles.items():
            self._check_candles(pair, frame)

    @property
    def pairs(self) -> list[str]:
        """The pairs, in the order of the config."""
        return list(self.candles)

    @property
    def every_signal(self) -> Iterable[PublishedSignal]:
        """The signals of all pairs."""
        return (published for signals in self.signals.values() for published in signals)

    def bars(self, pair: str) -> pd.DataFrame:
        """Return the bars in which may be traded."""
        frame = self.candles[pair]
        return frame[(frame["date"] >= self.start) & (frame["date"] < self.end)]

    def _check_candles(self, pair: str, frame: pd.DataFrame) -> None:
        expected = self.timeframe.count(self.start, self.end)
        found = int(((frame["date"] >= self.start) & (frame["date"] < self.end)).sum())
        if found != expected or not (frame["date"] < self.start).any():
            raise ConfigError(
                f"{pair}: expected {expected} bars of {self.timeframe} from {self.start.isoformat()} to "
                f"{self.end.isoformat()} and one before them, found {found}; see `quantbus ingest`"
            )
