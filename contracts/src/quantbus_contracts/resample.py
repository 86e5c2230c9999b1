"""Makes coarser bars of finer ones; the only place that does.

A bucket is the time of one coarse bar. It is *whole* if every fine bar of it is there, and only then does the coarse
bar equal what the venue itself would say. What becomes of other buckets is the caller's choice: by default they are
dropped, so that a gap stays a gap; ``keep`` makes a bar of what is there (a venue that has no bar for a minute without
a trade never has whole buckets).

Volumes are decimal numbers. Their sum is formed exactly, so that it is the very double that the venue's own decimal
sum reads as, and does not depend on what else is resampled in the same call.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from quantbus_contracts.bar_arrays import FIELDS, BarArrays, Floats
from quantbus_contracts.errors import ContractError
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Partial", "resample"]

Partial = Literal["drop", "keep"]
"""What becomes of a bucket that lacks a bar."""

_EXACT = 2**53
"""Whole numbers up to here are doubles."""
_DECIMALS = (8, 5, 2, 0)


def resample(
    bars: BarArrays, source: Timeframe, target: Timeframe, *, partial: Partial = "drop"
) -> BarArrays:
    """Return the bars of ``target`` that ``bars`` of ``source`` make: named by their open time, oldest first.

    Raises
    ------
    ContractError
        If ``target`` is no multiple of ``source``, or the bars are not in order, or not bars of ``source``.
    """
    if partial not in get_args(Partial):
        raise ContractError(f"expected partial as one of {', '.join(get_args(Partial))}, found {partial!r}")
    if target.seconds < source.seconds or target.seconds % source.seconds:
        raise ContractError(
            f"expected a timeframe that whole {source.name} bars make up, found {target.name}",
            field="timeframe",
            value=target.name,
        )
    _check(bars, source)
    if source == target or len(bars) == 0:
        return bars
    bucket = bars.open_times_ms // (target.seconds * 1000)
    first = np.flatnonzero(np.diff(bucket, prepend=bucket[0] - 1))
    counts = np.diff(first, append=len(bucket))
    made = BarArrays(
        bucket[first] * (target.seconds * 1000),
        {name: _reduced(name, column, first, counts) for name, column in bars.columns.items()},
    )
    if partial == "keep":
        return made
    whole = counts == target.seconds // source.seconds
    return BarArrays(
        made.open_times_ms[whole], {name: column[whole] for name, column in made.columns.items()}
    )


def _check(bars: BarArrays, source: Timeframe) -> None:
    times = bars.open_times_ms
    if (np.diff(times) <= 0).any():
        raise ContractError("expected bars in order of their open times, each once", field="datetime")
    if (times % (source.seconds * 1000) != 0).any():
        raise ContractError(f"expected bars that open as {source.name} bars do", field="datetime")


def _reduced(name: str, column: Floats, first: NDArray[np.intp], counts: NDArray[np.intp]) -> Floats:
    reduced: Floats
    match name:
        case "open":
            reduced = column[first]
        case "high":
            reduced = np.maximum.reduceat(column, first)
        case "low":
            reduced = np.minimum.reduceat(column, first)
        case "close":
            reduced = column[first + counts - 1]
        case "volume":
            reduced = _decimal_sums(column, first)
        case _:
            raise ContractError(f"expected {', '.join(FIELDS)}, found {name!r}", field="fields", value=name)
    return reduced


def _decimal_sums(values: Floats, first: NDArray[np.intp]) -> Floats:
    """Return the sum of each bucket: of the decimal numbers where they are such, else of the doubles in order."""
    sums: Floats = np.add.reduceat(values, first)
    unsettled = np.ones(len(first), dtype=bool)
    for decimals in _DECIMALS:
        scale = 10.0**decimals
        with np.errstate(over="ignore", invalid="ignore"):
            units = np.rint(values * scale)
            decimal = (np.abs(units) < _EXACT) & (units / scale == values)
        totals = np.add.reduceat(np.where(decimal, units, 0.0).astype(np.int64), first)
        settled = unsettled & np.logical_and.reduceat(decimal, first) & (np.abs(totals) < _EXACT)
        sums[settled] = totals[settled] / scale
        unsettled &= ~settled
        if not unsettled.any():
            break
    return sums
