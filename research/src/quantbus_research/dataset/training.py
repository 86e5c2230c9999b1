"""Joins factors and labels into the table that a model is fitted on."""

from dataclasses import dataclass
from datetime import datetime

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.dataset.panel import has_unbroken_history
from quantbus_research.factors import compute, lookback_bars
from quantbus_research.labels import direction, forward_return
from quantbus_research.settings import Recipe

__all__ = ["TooFewBars", "TrainingTable", "build_table", "require_history"]


class TooFewBars(ConfigError):
    """The bus holds less history than the recipe asks for; more may come."""


@dataclass(frozen=True, slots=True)
class TrainingTable:
    """Rows (symbol, bar) with complete factors and a label that is known; all on one index."""

    features: pd.DataFrame
    direction: pd.Series
    returns: pd.Series
    known_at: pd.Series


def require_history(panel: pd.DataFrame, recipe: Recipe, as_of: datetime) -> None:
    """Refuse a panel that is too short.

    Raises
    ------
    TooFewBars
        Naming each pair with fewer bars than ``data.min_train_bars``.
    """
    counts = panel.groupby(level=0).size()
    needed = recipe.data.min_train_bars
    found = {item.pair: int(counts.get(item.symbol, 0)) for item in recipe.market.instruments}
    short = [f"{pair} has {count}" for pair, count in found.items() if count < needed]
    if short:
        raise TooFewBars(
            f"expected at least {needed} {recipe.market.timeframe} bars of each pair closed by "
            f"{as_of:%Y-%m-%d %H:%M} UTC to train on, but {', '.join(short)}; "
            "bring them in with `quantbus ingest backfill` or `quantbus ingest import`"
        )


def build_table(panel: pd.DataFrame, recipe: Recipe, as_of: datetime) -> TrainingTable:
    """Compute factors and labels; keep rows that have both, over an unbroken look-back.

    A label that was not known at ``as_of`` does not exist.
    """
    names, timeframe = recipe.factors.names, recipe.market.bars
    features = compute(panel, names)
    moved = forward_return(panel, timeframe, recipe.label.horizon_bars)
    rises = direction(panel, timeframe, recipe.label.horizon_bars)
    known = rises.known_by(pd.Timestamp(as_of))
    usable = known.notna() & features.notna().all(axis=1)
    usable &= has_unbroken_history(panel, timeframe, lookback_bars(names))
    return TrainingTable(
        features=features[usable],
        direction=known[usable],
        returns=moved.values[usable],
        known_at=rises.known_at[usable],
    )
