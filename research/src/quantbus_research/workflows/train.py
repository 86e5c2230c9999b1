"""Train: from candles to a stored model."""

import math
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version

import pandas as pd

from quantbus_contracts.market import MarketQuery
from quantbus_research.dataset import (
    TrainingTable,
    build_table,
    keep_panel,
    load_panel,
    panel_query,
    require_history,
    snapshot_id,
    split_by_time,
)
from quantbus_research.evaluation import area_under_curve, hit_rate, rank_correlation
from quantbus_research.factors import select
from quantbus_research.models import LightGBMClassifier, Model
from quantbus_research.registry import DataSpan, Manifest, code_version, model_id_of, sha256_of
from quantbus_research.settings import Recipe
from quantbus_research.workflows.session import Session

__all__ = ["Trained", "train", "training_end"]


@dataclass(frozen=True, slots=True)
class Trained:
    """A model ready to predict, and whether it was there already."""

    model: Model
    manifest: Manifest
    reused: bool


def training_end(recipe: Recipe, bar: datetime) -> datetime:
    """Return the instant up to which data trains the model for ``bar``: never later than the bar's close.

    It moves on every ``model.retrain_bars`` bars and depends on nothing else, so that every run in between, on
    any machine and after any restart, trains on the same bars.
    """
    timeframe = recipe.market.bars
    step = recipe.model.retrain_bars * timeframe.seconds
    closed = timeframe.close_of(bar).timestamp()
    return datetime.fromtimestamp(closed // step * step, tz=bar.tzinfo)


def train(session: Session, bar: datetime, *, retrain: bool = False) -> Trained:
    """Return the model for ``bar``: the stored one of the same data, recipe and code, else a new one.

    Raises
    ------
    TooFewBars
        If the bus holds less history than the recipe asks for.
    ArtefactError
        If the stored model was tampered with.
    """
    recipe = session.recipe
    end = training_end(recipe, bar)
    instruments, timeframe, bars = recipe.market.instruments, recipe.market.bars, recipe.data.train_bars
    panel = load_panel(session.frames, instruments, timeframe, as_of=end, bars=bars)
    require_history(panel, recipe, end)
    asked = panel_query(instruments, timeframe, as_of=end, bars=bars)
    span = _span(panel, asked)
    signatures = {factor.name: factor.signature for factor in select(recipe.factors.names)}
    model_id = model_id_of(
        training_hash=recipe.training_hash,
        data=span,
        factors=signatures,
        code_version=code_version(),
        library=version("lightgbm"),
    )
    if not retrain and session.registry.contains(recipe.strategy_id, model_id):
        return Trained(*session.registry.load(recipe.strategy_id, model_id), reused=True)
    kept = keep_panel(panel, asked, session.snapshots, now=session.clock.now())
    table = build_table(kept, recipe, end)
    model = LightGBMClassifier.fit(table.features, table.direction, recipe.model)
    manifest = Manifest(
        model_id=model_id,
        strategy_id=recipe.strategy_id,
        kind=model.kind,
        model_sha256=sha256_of(model.to_text()),
        trained_at=session.clock.now(),
        code_version=code_version(),
        training_hash=recipe.training_hash,
        seed=recipe.model.seed,
        data=span,
        factors=signatures,
        label=f"{recipe.label.kind}, {recipe.label.horizon_bars} bars",
        metrics=validation_metrics(table, recipe),
        description=model.describe(),
    )
    session.registry.save(model, manifest)
    return Trained(model, manifest, reused=False)


def _span(panel: pd.DataFrame, asked: MarketQuery) -> DataSpan:
    times = panel.index.get_level_values(1)
    return DataSpan(
        timeframe=asked.timeframe.name,
        first_open_time=times.min().to_pydatetime(),
        last_open_time=times.max().to_pydatetime(),
        bars={str(symbol): int(count) for symbol, count in panel.groupby(level=0).size().items()},
        snapshot_id=snapshot_id(panel, asked),
    )


def validation_metrics(table: TrainingTable, recipe: Recipe) -> dict[str, float | int | None]:
    """Fit on the older part, judge on the newer; None where a figure cannot be had."""
    split = split_by_time(
        table.known_at,
        recipe.market.bars,
        validation_share=recipe.model.validation_share,
        embargo_bars=recipe.model.embargo_bars,
    )
    counts = {"rows_train": int(split.train.sum()), "rows_validation": int(split.validation.sum())}
    if table.direction[split.train].nunique() < 2:
        return {**counts, "auc": None, "rank_ic": None, "hit_rate": None}
    judged = LightGBMClassifier.fit(table.features[split.train], table.direction[split.train], recipe.model)
    scores = 2.0 * judged.predict(table.features[split.validation]) - 1.0
    returns = table.returns[split.validation].to_numpy()
    figures = {
        "auc": area_under_curve(scores, table.direction[split.validation].to_numpy()),
        "rank_ic": rank_correlation(scores, returns),
        "hit_rate": hit_rate(scores, returns),
    }
    return {**counts, **{name: _finite(value) for name, value in figures.items()}}


def _finite(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
