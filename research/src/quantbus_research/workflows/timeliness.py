"""What may still be said about a bar, late or without some bars: one rule for the worker and for a run of the graph."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quantbus_contracts.schema import Origin, PublishRun
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.factors import select
from quantbus_research.publish import Held, Verdict, hold_back, standing_live
from quantbus_research.settings import Recipe
from quantbus_research.settings.nodes import ScoreSettings, SelectionSettings
from quantbus_research.workflows.session import Session

__all__ = ["Judgement", "Timing", "judge", "record_run", "timing_of"]

Timing = Literal["in_time", "late", "in_doubt", "passed"]
_WHY_LATE: Mapping[Timing, str] = {
    "late": "said more than half a bar after its close",
    "in_doubt": "newer bars are there than the clock knows of",
}


@dataclass(frozen=True, slots=True)
class Judgement:
    """What may be said now of what was thought."""

    timing: Timing
    held: Held
    stands: frozenset[str]
    """Pairs about whose bar something stands live already and is not said otherwise now."""


def timing_of(timeframe: Timeframe, bar: datetime, now: datetime) -> Timing:
    """Say how a word about a bar would come if it were said now."""
    if timeframe.last_closed(now) > bar:
        return "passed"
    return "late" if now > timeframe.close_of(bar) + timeframe.delta / 2 else "in_time"


def judge(
    session: Session, verdicts: Sequence[Verdict], bar: datetime, now: datetime, *, origin: Origin = "live"
) -> Judgement:
    """Hold back what the recipe does not want to be said now, and mark what is said in spite of it."""
    recipe = session.recipe
    timing = _timing(session, bar, now) if origin == "live" else "in_time"
    is_first_word = origin == "live" and timing == "in_time"
    pairs = [verdict.view.pair for verdict in verdicts]
    stands = (
        frozenset[str]()
        if is_first_word
        else standing_live(session.strategy_id, session.history, recipe.market.bars, pairs, bar)
    )
    held = hold_back(
        verdicts, recipe.publish, late=_WHY_LATE.get(timing), compares=_compares(recipe), said=stands
    )
    return Judgement(timing, held, stands)


def record_run(session: Session, run: PublishRun, timing: Timing) -> None:
    """Record an evaluation; one that is there is not replaced by one that came late."""
    if timing == "in_time" or not _has_run(session, run.ts):
        session.sink.record_run(run)


def _timing(session: Session, bar: datetime, now: datetime) -> Timing:
    """Judge by the clock, and the clock by the bars: one that has not closed by it shows that it is behind."""
    timeframe = session.recipe.market.bars
    timing = timing_of(timeframe, bar, now)
    if timing != "in_time":
        return timing
    for item in session.recipe.market.instruments:
        newest = session.candles.last_open_time(item.symbol, timeframe)
        if newest is not None and newest > bar:
            return "in_doubt"
    return timing


def _compares(recipe: Recipe) -> bool:
    ranks = any(score.scale == "rank" for score in recipe.leading(ScoreSettings).values())
    across = any(factor.is_across for factor in select(recipe.factors.names))
    return ranks or across or bool(recipe.leading(SelectionSettings))


def _has_run(session: Session, bar: datetime) -> bool:
    timeframe = session.recipe.market.bars
    return bool(session.history.runs(session.strategy_id, timeframe, bar, bar + timeframe.delta))
