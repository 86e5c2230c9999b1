"""What is known of each pair when a bar has closed: its score, its price, and what is wrong with either."""

from datetime import datetime

import numpy as np
import pandas as pd

from quantbus_contracts.mongo.gap_flags import GapSource
from quantbus_contracts.schema import GapState
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.factors import compute, lookback_bars
from quantbus_research.publish import View
from quantbus_research.settings import PolicySettings, Recipe
from quantbus_research.workflows.speaking import Speaker

__all__ = ["BAR_MISSING", "bars_to_load", "views_of"]

BAR_MISSING = "the bar is missing"


def views_of(
    panel: pd.DataFrame, speaker: Speaker, recipe: Recipe, bar: datetime, gaps: GapSource
) -> list[View]:
    """Return what is known of each pair of the recipe when the bar that opened at ``bar`` has closed."""
    features = compute(panel, recipe.factors.names).dropna()
    scores = speaker.score(features)
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
    return 2 * lookback_bars(recipe.factors.names) + _scores_kept(recipe)


def _view(
    item: Instrument, scores: pd.Series, closes: pd.Series, recipe: Recipe, bar: datetime, gaps: GapSource
) -> View:
    pair = item.pair
    opened = pd.Timestamp(bar)
    if opened not in closes.index:
        return View(pair, score=None, degraded=BAR_MISSING)
    close = float(closes[opened])
    needed = lookback_bars(recipe.factors.names)
    if opened not in scores.index:
        return View(
            pair,
            score=None,
            close=close,
            degraded=f"{len(closes)} bars are too few for {needed} of look-back",
        )
    if not np.isfinite(scores[opened]):
        return View(pair, score=None, close=close, degraded="there is no score for these bars")
    first = opened - (needed - 1) * recipe.market.bars.delta
    missing = needed - int((closes.index >= first).sum())
    confirmed = (
        _confirmed(gaps, item, recipe.market.bars, first, pd.DatetimeIndex(closes.index)) if missing else 0
    )
    newest = scores.dropna().tail(_scores_kept(recipe))
    return View(
        pair,
        score=float(scores[opened]),
        recent_scores=tuple(float(score) for score in newest),
        close=close,
        degraded=_told(missing, needed, confirmed) if missing else None,
        open_gap=missing > confirmed,
    )


def _scores_kept(recipe: Recipe) -> int:
    """Return how many scores of each pair are looked at to judge its newest one."""
    policies = recipe.leading(PolicySettings).values()
    return max((policy.calibration_bars or 1 for policy in policies), default=1)


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
