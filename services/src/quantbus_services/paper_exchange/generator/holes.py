"""Gaps by setting: minutes that are missing, and minutes in which nothing was traded."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quantbus_services.paper_exchange.generator.chance import key_of, uniforms
from quantbus_services.paper_exchange.series import Bars, Integers

__all__ = ["Holes"]

_LONGEST = 90
_MINUTE_MS = 60_000
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Holes:
    """Shares of minutes that are ``missing`` and of minutes without a trade (``quiet``), by ``seed``."""

    seed: int
    missing: float = 0.0
    quiet: float = 0.0

    def punch(self, name: str, day: Bars) -> Bars:
        """Return a day's minutes with its holes; days are punched one by one."""
        if self.quiet > 0:
            day = _still(day, self._runs("quiet", name, day.open_time, self.quiet, mean=3))
        if self.missing > 0:
            kept = np.flatnonzero(~self._runs("missing", name, day.open_time, self.missing, mean=6))
            day = day.chosen(kept)
        return day

    def _runs(self, what: str, name: str, open_time: Integers, share: float, *, mean: int) -> Mask:
        """Return which minutes lie in a run; runs of one in twenty are ten times as long."""
        minute = np.arange(
            open_time[0] // _MINUTE_MS - _LONGEST, open_time[-1] // _MINUTE_MS + 1, dtype=np.int64
        )
        begins = uniforms(key_of(self.seed, what, name, "begin"), minute) < share / (mean * 1.45)
        length = np.ceil(-mean * np.log(uniforms(key_of(self.seed, what, name, "length"), minute)))
        length *= np.where(uniforms(key_of(self.seed, what, name, "long"), minute) < 0.05, 10, 1)
        ends = np.where(begins, minute + np.minimum(length, _LONGEST), 0)
        covered = np.maximum.accumulate(ends) > minute
        mask: Mask = covered[np.searchsorted(minute, open_time // _MINUTE_MS)]
        return mask


def _still(day: Bars, quiet: Mask) -> Bars:
    """Let the price stand in quiet minutes, and move on from there in the first that is not."""
    quiet = quiet.copy()
    quiet[-1] = False  # so that the next day goes on from this one's last price
    edges = np.append(day.open, day.close[-1])
    source = np.where(np.append(False, quiet), 0, np.arange(len(edges)))
    edges = edges[np.maximum.accumulate(source)]
    open_, close = edges[:-1], edges[1:]
    high = np.where(quiet, open_, np.maximum(day.high, np.maximum(open_, close)))
    low = np.where(quiet, open_, np.minimum(day.low, np.minimum(open_, close)))
    still = replace(day, open=open_, high=high, low=low, close=close)
    volume = np.where(quiet, 0.0, day.volume)
    return Bars.of(still.open_time, still.open, still.high, still.low, still.close, volume)
