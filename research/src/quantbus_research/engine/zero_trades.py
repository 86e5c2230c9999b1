"""Why a Qlib backtest traded nothing: it says nothing itself when it cannot match what it was given.

Each check looks at one cause and names it in a sentence with what to do. Pure, but for the store's own files.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches

import numpy as np
import pandas as pd

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.engine.bins import BinStore
from quantbus_research.engine.frequency import frequency_of

__all__ = ["CAUSES", "Backtested", "Cause", "why_nothing_traded"]

_NEEDED_FIELDS = ("factor", "change", "close", "volume")


@dataclass(frozen=True, slots=True)
class Backtested:
    """What a backtest was given.

    Attributes
    ----------
    scores
        Qlib's signal: indexed by (datetime, instrument), one column or a series.
    store, timeframe
        The data it traded on.
    start, end
        The period, open times without a zone (UTC).
    top_k, min_score
        How many of the best are held; the score below which nothing is.
    account, min_cost, trade_unit
        Cash at the start, least fee of a deal and lot size, in quote and base currency; None is no lot.
    """

    scores: pd.Series | pd.DataFrame
    store: BinStore
    timeframe: Timeframe
    start: pd.Timestamp
    end: pd.Timestamp
    top_k: int = 1
    min_score: float | None = None
    account: float = 1.0
    min_cost: float = 0.0
    trade_unit: float | None = None


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason for a backtest without trades, as a word and a sentence."""

    kind: str
    sentence: str


def why_nothing_traded(given: Backtested) -> list[Cause]:
    """Return every cause that is found, the one to mend first at the head; empty where none is.

    A cause that keeps later checks from meaning anything (no scores, a wrong index) ends the search.
    """
    found: list[Cause] = []
    for check in _CHECKS:
        causes = list(check(given))
        found += causes
        if causes and check in _FATAL:
            break
    return found


def _values(given: Backtested) -> pd.Series:
    scores = given.scores
    return scores if isinstance(scores, pd.Series) else scores.iloc[:, 0]


def _is_empty(given: Backtested) -> Iterator[Cause]:
    if len(given.scores) == 0:
        yield Cause(
            "no_scores",
            "the model gave no scores at all: look at the test segment and the handler's end time",
        )


def _has_wrong_index(given: Backtested) -> Iterator[Cause]:
    index = given.scores.index
    if not isinstance(index, pd.MultiIndex) or index.nlevels != 2:
        yield Cause(
            "index_levels",
            f"expected scores indexed by (datetime, instrument), found {index.nlevels} level(s)",
        )
        return
    kinds = [isinstance(index.levels[level], pd.DatetimeIndex) for level in (0, 1)]
    if kinds == [False, True]:
        yield Cause(
            "index_order",
            "the scores are indexed by (instrument, datetime) where Qlib wants (datetime, instrument): "
            "use scores.swaplevel().sort_index()",
        )
    elif kinds != [True, False]:
        yield Cause(
            "index_types",
            "expected times in the first level of the index and names in the second, found neither",
        )
    elif pd.DatetimeIndex(index.levels[0]).tz is not None:
        yield Cause(
            "time_zone",
            "the times of the scores carry a zone, Qlib's do not: use tz_convert('UTC').tz_localize(None)",
        )
    elif list(index.names) != ["datetime", "instrument"]:
        yield Cause(
            "index_names",
            f"expected index names datetime and instrument, found {', '.join(map(str, index.names))}",
        )


def _has_no_numbers(given: Backtested) -> Iterator[Cause]:
    if not np.isfinite(_values(given).to_numpy(np.float64)).any():
        yield Cause(
            "not_finite", "no score is a number: the model was given rows without values, or learnt nothing"
        )


def _has_unknown_names(given: Backtested) -> Iterator[Cause]:
    known = {code.upper() for code in given.store.manifest.codes.values()}
    named = {str(name) for name in given.scores.index.get_level_values("instrument").unique()}
    strangers = sorted(name for name in named if name not in known)
    if not strangers:
        return
    near = get_close_matches(strangers[0].upper().replace("/", "_"), sorted(known), n=1, cutoff=0.5)
    hint = f"; is {near[0]} meant?" if near else f"; known are {', '.join(sorted(known)[:5])}"
    share = "none" if len(strangers) == len(named) else f"only {len(named) - len(strangers)}"
    yield Cause(
        "names",
        f"{share} of the {len(named)} instruments scored is in the Qlib data, {strangers[0]!r} for one is not{hint}",
    )


def _lacks_fields(given: Backtested) -> Iterator[Cause]:
    frequency = frequency_of(given.timeframe)
    folder = given.store.folder / "features"
    for field in _NEEDED_FIELDS:
        missing = [
            code
            for code in given.store.manifest.codes.values()
            if not (folder / code.lower() / f"{field}.{frequency}.bin").is_file()
        ]
        if missing:
            yield Cause(
                "missing_field",
                f"the Qlib data has no ${field} at {frequency} for {', '.join(sorted(missing)[:3])}: Qlib says "
                "nothing, and does not trade what it cannot read; make the data with `quantbus research convert`",
            )


def _is_outside_the_calendar(given: Backtested) -> Iterator[Cause]:
    times = pd.DatetimeIndex(given.scores.index.get_level_values("datetime").unique())
    inside = times[(times >= given.start) & (times <= given.end)]
    if inside.empty:
        yield Cause(
            "period",
            f"no score lies in the period {given.start} to {given.end}: they are of {times.min()} to {times.max()}",
        )
        return
    path = given.store.folder / "calendars" / f"{frequency_of(given.timeframe)}.txt"
    calendar = pd.to_datetime(path.read_text(encoding="utf-8").split("\n")[:-1])
    if not inside.isin(calendar).any():
        yield Cause(
            "calendar",
            f"no score is of a bar's open time ({inside[0]} for one is not): name bars by when they open, "
            f"and at {given.timeframe.name}",
        )


def _is_below_the_threshold(given: Backtested) -> Iterator[Cause]:
    best = float(_values(given).max())
    if given.min_score is not None and best < given.min_score:
        yield Cause(
            "threshold",
            f"no score reaches min_score {given.min_score:g}: the greatest is {best:.4g}; scores of a regression are "
            "small numbers, choose the threshold from their quantiles",
        )


def _holds_nothing(given: Backtested) -> Iterator[Cause]:
    if given.top_k < 1:
        yield Cause("top_k", f"expected to hold at least one instrument, found top_k {given.top_k}")


def _cannot_pay(given: Backtested) -> Iterator[Cause]:
    each = given.account / max(given.top_k, 1)
    if given.min_cost >= each:
        yield Cause(
            "min_cost",
            f"the least fee of a deal ({given.min_cost:g}) is more than what each of {given.top_k} instruments gets "
            f"({each:g}): set min_cost to 0 or give the account more",
        )
    if given.trade_unit is not None:
        lots = _cheapest_lot(given)
        if lots > each:
            yield Cause(
                "trade_unit",
                f"the cheapest lot of {given.trade_unit:g} costs {lots:g}, more than the {each:g} that each of "
                f"{given.top_k} instruments gets: coins have no lots, set trade_unit to None",
            )


def _cheapest_lot(given: Backtested) -> float:
    frequency = frequency_of(given.timeframe)
    prices = [
        np.nanmin(
            np.fromfile(given.store.folder / "features" / code.lower() / f"close.{frequency}.bin", "<f4")[1:]
        )
        for code in given.store.manifest.codes.values()
    ]
    return float(min(prices)) * (given.trade_unit or 0.0)


_Check = Callable[[Backtested], Iterator[Cause]]
_CHECKS: tuple[_Check, ...] = (
    _is_empty,
    _has_wrong_index,
    _has_no_numbers,
    _holds_nothing,
    _has_unknown_names,
    _lacks_fields,
    _is_outside_the_calendar,
    _is_below_the_threshold,
    _cannot_pay,
)
_FATAL = frozenset({_is_empty, _has_wrong_index, _has_no_numbers, _lacks_fields})
CAUSES = (
    "no_scores",
    "index_levels",
    "index_order",
    "index_types",
    "time_zone",
    "index_names",
    "not_finite",
    "top_k",
    "names",
    "missing_field",
    "period",
    "calendar",
    "threshold",
    "min_cost",
    "trade_unit",
)
"""Every kind of cause."""
