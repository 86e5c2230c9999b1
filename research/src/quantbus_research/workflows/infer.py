"""Infer: from a closed bar to published signals."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.mongo.gap_flags import GapSource
from quantbus_contracts.schema import GapState, Origin, PublishReport, PublishRun, Signal
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import load_panel, panel_query, snapshot_id
from quantbus_research.factors import compute, lookback_bars
from quantbus_research.models import Model
from quantbus_research.publish import (
    Provenance,
    Verdict,
    View,
    decide,
    declaration_of,
    read_position,
    to_signals,
    without_live_rows,
)
from quantbus_research.settings import Recipe
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.train import Trained

__all__ = ["Inference", "bars_to_load", "infer", "views_of"]


@dataclass(frozen=True, slots=True)
class Inference:
    """What was thought and said about one bar."""

    bar: datetime
    origin: Origin
    verdicts: tuple[Verdict, ...]
    signals: tuple[Signal, ...]
    report: PublishReport
    run: PublishRun


def infer(session: Session, trained: Trained, bar: datetime, *, origin: Origin, declare: bool) -> Inference:
    """Score the bar that opened at ``bar``, decide, publish, and record that it was done.

    Doing it again is safe and leads to the same rows.

    Raises
    ------
    BusUnavailable
        If the bus did not answer, or left rows unconfirmed: do it again.
    """
    recipe = session.recipe
    timeframe = recipe.market.bars
    instruments, closed, bars = recipe.market.instruments, timeframe.close_of(bar), bars_to_load(recipe)
    panel = load_panel(session.frames, instruments, timeframe, as_of=closed, bars=bars)
    asked = panel_query(instruments, timeframe, as_of=closed, bars=bars)
    views = views_of(panel, trained.model, recipe, bar, session.gaps)
    verdicts = tuple(_judge(session, view, bar, origin) for view in views)
    provenance = Provenance(
        model_id=trained.manifest.model_id,
        model_hash=trained.manifest.model_sha256,
        snapshot_id=snapshot_id(panel, asked),
        code_version=trained.manifest.code_version,
    )
    said = to_signals(
        verdicts, recipe, bar=bar, origin=origin, provenance=provenance, now=session.clock.now()
    )
    signals = without_live_rows(said, session.history, timeframe, bar, origin)
    if declare:
        session.sink.declare(declaration_of(recipe))
    elif signals:
        session.sink.declare(declaration_of(recipe, live=False), first_only=True)
    report = session.sink.publish(signals) if signals else PublishReport()
    if report.unknown:
        raise BusUnavailable(f"{report.unknown} of {len(signals)} signals were not confirmed; publish again")
    run = _run_of(recipe, bar, verdicts, signals, session.clock.now())
    session.sink.record_run(run)
    return Inference(bar, origin, verdicts, tuple(signals), report, run)


def views_of(panel: pd.DataFrame, model: Model, recipe: Recipe, bar: datetime, gaps: GapSource) -> list[View]:
    """Return what is known of each pair of the recipe when the bar that opened at ``bar`` has closed."""
    features = compute(panel, recipe.factors.names).dropna()
    scores = pd.Series(2.0 * model.predict(features) - 1.0, index=features.index)
    by_symbol = {str(symbol): part.droplevel(0) for symbol, part in scores.groupby(level=0)}
    closes = {str(symbol): part.droplevel(0) for symbol, part in panel["close"].groupby(level=0)}
    nothing = pd.Series(dtype="float64")
    return [
        _view(item, by_symbol.get(item.symbol, nothing), closes.get(item.symbol, nothing), recipe, bar, gaps)
        for item in recipe.market.instruments
    ]


def bars_to_load(recipe: Recipe) -> int:
    """Return how many bars of the calendar a bar's scores are computed from."""
    # Twice the look-back, so that a factor still has enough bars where a few of them are missing.
    return 2 * lookback_bars(recipe.factors.names) + (recipe.policy.calibration_bars or 1)


def _view(
    item: Instrument, scores: pd.Series, closes: pd.Series, recipe: Recipe, bar: datetime, gaps: GapSource
) -> View:
    pair = item.pair
    opened = pd.Timestamp(bar)
    if opened not in closes.index:
        return View(pair, score=None, degraded="the bar is missing")
    close = float(closes[opened])
    needed = lookback_bars(recipe.factors.names)
    if opened not in scores.index:
        return View(
            pair,
            score=None,
            close=close,
            degraded=f"{len(closes)} bars are too few for {needed} of look-back",
        )
    first = opened - (needed - 1) * recipe.market.bars.delta
    missing = needed - int((closes.index >= first).sum())
    confirmed = (
        _confirmed(gaps, item, recipe.market.bars, first, pd.DatetimeIndex(closes.index)) if missing else 0
    )
    newest = scores.tail(recipe.policy.calibration_bars or 1)
    return View(
        pair,
        score=float(scores[opened]),
        recent_scores=tuple(float(score) for score in newest),
        close=close,
        degraded=_told(missing, needed, confirmed) if missing else None,
        open_gap=missing > confirmed,
    )


def _confirmed(
    gaps: GapSource, item: Instrument, timeframe: Timeframe, first: pd.Timestamp, there: pd.DatetimeIndex
) -> int:
    """Count the bars since ``first`` that are not there and that the venue is known not to have."""
    last = there.max().to_pydatetime()
    known = gaps.find(item.symbol, timeframe, first.to_pydatetime(), last)
    empty = {
        moment
        for gap in known
        if gap.state is GapState.EMPTY
        for moment in timeframe.range(max(gap.start, first.to_pydatetime()), min(gap.end, last))
    }
    return len(empty.difference(there.to_pydatetime()))


def _told(missing: int, needed: int, confirmed: int) -> str:
    told = f"{missing} of the last {needed} bars are missing"
    return f"{told}, {confirmed} of them at the venue too" if confirmed else told


def _judge(session: Session, view: View, bar: datetime, origin: Origin) -> Verdict:
    recipe = session.recipe
    timeframe = recipe.market.bars
    position = read_position(session.history, recipe.strategy_id, view.pair, timeframe, bar, origin=origin)
    return decide(view, position, recipe.policy, timeframe=timeframe, bar=bar)


def _run_of(
    recipe: Recipe, bar: datetime, verdicts: Sequence[Verdict], signals: Sequence[Signal], now: datetime
) -> PublishRun:
    troubles: Mapping[str, str] = {
        verdict.view.pair: verdict.view.degraded for verdict in verdicts if verdict.view.degraded
    }
    told = "; ".join(f"{pair}: {why}" for pair, why in troubles.items())
    return PublishRun(
        strategy_id=recipe.strategy_id,
        timeframe=recipe.market.timeframe,
        ts=bar,
        evaluated_at=now,
        pairs_evaluated=sum(
            verdict.view.score is not None or verdict.action is not None for verdict in verdicts
        ),
        signals=len(signals),
        degraded=(told if len(told) <= 200 else told[:199] + "…") or None,
    )
