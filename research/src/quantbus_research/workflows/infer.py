"""Infer: from a closed bar to published signals."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.schema import Origin, PublishReport, PublishRun, Signal
from quantbus_research.dataset import load_panel, panel_query, snapshot_id
from quantbus_research.publish import (
    Held,
    Provenance,
    Verdict,
    View,
    choose,
    decide,
    declaration_of,
    is_due,
    read_position,
    read_weight,
    to_signals,
)
from quantbus_research.settings.nodes import SelectionSettings
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.speaking import Speaker
from quantbus_research.workflows.timeliness import Timing, judge, record_run
from quantbus_research.workflows.views import bars_to_load, views_of

__all__ = ["Inference", "infer"]


@dataclass(frozen=True, slots=True)
class Inference:
    """What was thought and said about one bar."""

    bar: datetime
    origin: Origin
    timing: Timing
    """Of what is said live: within half a bar of the bar's close; later; by a clock that seems to be behind; or not at
    all, since the next bar has closed."""
    computed_at: datetime
    verdicts: tuple[Verdict, ...]
    signals: tuple[Signal, ...]
    report: PublishReport
    run: PublishRun

    @property
    def held_back(self) -> int:
        """How many pairs there was something to say about that the recipe does not want to be said now."""
        return sum(verdict.held_back for verdict in self.verdicts)


def infer(session: Session, speaker: Speaker, bar: datetime, *, origin: Origin, declare: bool) -> Inference:
    """Score the bar that opened at ``bar``, decide, publish, and record that it was done.

    Doing it again is safe and leads to the same rows. Nothing live is said about a bar once the next one has closed.

    Raises
    ------
    BusUnavailable
        If the bus did not answer, or left rows unconfirmed: do it again.
    """
    verdicts, provenance = _think(session, speaker, bar, origin)
    computed_at = session.clock.now()
    judged = judge(session, verdicts, bar, computed_at, origin=origin)
    timing, held = judged.timing, judged.held
    said = to_signals(
        held.verdicts,
        session.recipe,
        strategy_id=session.strategy_id,
        bar=bar,
        origin=origin,
        provenance=provenance,
        now=computed_at,
    )
    run = _run_of(session, bar, held, said, computed_at)
    if timing == "passed":
        return Inference(bar, origin, timing, computed_at, held.verdicts, (), PublishReport(), run)
    signals = tuple(signal for signal in said if signal.pair not in judged.stands)
    report = _publish(session, signals, declare=declare)
    record_run(session, run, timing)
    return Inference(bar, origin, timing, computed_at, held.verdicts, signals, report, run)


def _think(
    session: Session, speaker: Speaker, bar: datetime, origin: Origin
) -> tuple[tuple[Verdict, ...], Provenance]:
    recipe, timeframe = session.recipe, session.recipe.market.bars
    instruments, closed, bars = recipe.market.instruments, timeframe.close_of(bar), bars_to_load(recipe)
    panel = load_panel(session.frames, instruments, timeframe, as_of=closed, bars=bars)
    asked = panel_query(instruments, timeframe, as_of=closed, bars=bars)
    views = views_of(panel, speaker, recipe, bar, session.gaps)
    verdicts = _judge(session, views, bar, origin)
    return verdicts, Provenance(
        model_id=speaker.model_id,
        model_hash=speaker.model_hash,
        snapshot_id=snapshot_id(panel, asked),
        code_version=speaker.code_version,
    )


def _judge(session: Session, views: Sequence[View], bar: datetime, origin: Origin) -> tuple[Verdict, ...]:
    """Let the recipe's policy decide about each pair for itself, or its selection about all of them."""
    recipe, history, strategy_id = session.recipe, session.history, session.strategy_id
    timeframe = recipe.market.bars
    selection = next(iter(recipe.leading(SelectionSettings).values()), None)
    if selection is None:
        return tuple(
            decide(
                view,
                read_position(history, strategy_id, view.pair, timeframe, bar, origin=origin),
                recipe.policy,
                timeframe=timeframe,
                bar=bar,
            )
            for view in views
        )
    weights = {
        view.pair: read_weight(history, strategy_id, view.pair, timeframe, bar, origin=origin)
        for view in views
    }
    return choose(
        views,
        {pair: weight for pair, weight in weights.items() if weight},
        selection,
        symbols={item.pair: item.symbol for item in recipe.market.instruments},
        is_due=is_due(
            history,
            strategy_id,
            recipe.market.pairs,
            timeframe,
            bar,
            every=selection.every_bars,
            origin=origin,
        ),
    )


def _publish(session: Session, signals: Sequence[Signal], *, declare: bool) -> PublishReport:
    if declare:
        session.sink.declare(declaration_of(session.recipe, session.strategy_id))
    elif signals:
        past = declaration_of(session.recipe, session.strategy_id, live=False)
        session.sink.declare(past, first_only=True)
    report = session.sink.publish(signals) if signals else PublishReport()
    if report.unknown:
        raise BusUnavailable(f"{report.unknown} of {len(signals)} signals were not confirmed; publish again")
    return report


def _run_of(session: Session, bar: datetime, held: Held, said: Sequence[Signal], now: datetime) -> PublishRun:
    return PublishRun(
        strategy_id=session.strategy_id,
        timeframe=session.recipe.market.timeframe,
        ts=bar,
        evaluated_at=now,
        pairs_evaluated=sum(verdict.view.score is not None or verdict.speaks for verdict in held.verdicts),
        signals=len(said),
        degraded=held.trouble,
    )
