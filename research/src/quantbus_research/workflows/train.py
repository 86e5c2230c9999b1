"""Train: from candles to a stored model, or to what would be stored."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version
from math import isfinite

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
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
from quantbus_research.factors import lookback_bars, select
from quantbus_research.models import Model, fit_model
from quantbus_research.registry import (
    Baseline,
    DataSpan,
    Manifest,
    card_json,
    card_markdown,
    code_version,
    features_json,
    model_id_of,
    sha256_of,
)
from quantbus_research.settings import Recipe
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.staged import Trained, staged

__all__ = [
    "Plan",
    "Trained",
    "narrowed",
    "plan",
    "rehearse",
    "train",
    "train_now",
    "training_end",
    "validation_metrics",
]

_LIBRARIES = ("lightgbm", "numpy", "pandas", "scikit-learn")


@dataclass(frozen=True, slots=True)
class Plan:
    """Which model the bars, the recipe and the code lead to."""

    model_id: str
    end: datetime
    """No bar that closed later is looked at."""
    span: DataSpan
    factors: Mapping[str, str]
    is_stored: bool
    panel: pd.DataFrame
    asked: MarketQuery


def training_end(recipe: Recipe, bar: datetime) -> datetime:
    """Return the instant up to which data trains the model for ``bar``: never later than the bar's close.

    It moves on every ``model.retrain_bars`` bars and depends on nothing else, so that every run in between, on
    any machine and after any restart, trains on the same bars.
    """
    timeframe = recipe.market.bars
    step = recipe.model.retrain_bars * timeframe.seconds
    closed = timeframe.close_of(bar).timestamp()
    return datetime.fromtimestamp(closed // step * step, tz=bar.tzinfo)


def narrowed(recipe: Recipe, pairs: Sequence[str]) -> Recipe:
    """Return the recipe with only some of its pairs.

    Raises
    ------
    ConfigError
        If one is not a pair of the recipe.
    """
    unknown = [pair for pair in pairs if pair not in recipe.market.pairs]
    if unknown or not pairs:
        raise ConfigError(
            f"expected some of the recipe's pairs, {', '.join(recipe.market.pairs)}, found {', '.join(unknown)!r}"
        )
    kept = tuple(pair for pair in recipe.market.pairs if pair in pairs)
    return recipe.changed(pairs=kept)


def train(session: Session, bar: datetime, *, retrain: bool = False) -> Trained:
    """Return the model for ``bar``.

    That is the one on the stage which the recipe asks for; else the stored one of the same data, recipe and code; else
    a new one.

    Raises
    ------
    TooFewBars
        If the bus holds less history than the recipe asks for.
    ConfigError
        If no model is on the stage, or the one that is cannot speak for this recipe and bar.
    ArtefactError
        If the stored model was tampered with.
    """
    recipe = session.recipe
    if session.stage != "candidate":
        return staged(session, session.stage, bar)
    planned = plan(session, bar)
    if not retrain and planned.is_stored:
        return Trained(*session.registry.load(recipe.strategy_id, planned.model_id), reused=True)
    kept = keep_panel(planned.panel, planned.asked, session.snapshots, now=session.clock.now())
    table = build_table(kept, recipe, planned.end)
    settings, timeframe = recipe.model, recipe.market.bars
    model = fit_model(table.features, table.direction, table.known_at, settings, timeframe)
    manifest = _manifest(session, planned, model, validation_metrics(table, recipe))
    papers = _papers(manifest, model, table)
    manifest = manifest.model_copy(update={"files": {name: sha256_of(text) for name, text in papers.items()}})
    session.registry.save(model, manifest, papers)
    return Trained(model, manifest, reused=False)


def train_now(session: Session, as_of: datetime | None = None, *, retrain: bool) -> Trained:
    """Train a candidate on what is on the bus now, or was at ``as_of``, whatever stage the recipe's signals come from.

    Raises
    ------
    TooFewBars
        If the bus holds less history than the recipe asks for.
    """
    return train(_as_candidate(session), _newest_bar(session, as_of), retrain=retrain)


def rehearse(session: Session, as_of: datetime | None = None) -> tuple[Plan, dict[str, float | int | None]]:
    """Say what `train_now` would train and how good it would be, without writing anything.

    Raises
    ------
    TooFewBars
        If the bus holds less history than the recipe asks for.
    """
    planned = plan(session, _newest_bar(session, as_of))
    return planned, validation_metrics(
        build_table(planned.panel, session.recipe, planned.end), session.recipe
    )


def _as_candidate(session: Session) -> Session:
    return replace(session, from_stage="candidate")


def _newest_bar(session: Session, as_of: datetime | None) -> datetime:
    return session.recipe.market.bars.last_closed(as_of or session.clock.now())


def plan(session: Session, bar: datetime) -> Plan:
    """Say which model would be trained for ``bar``, on what, and whether it is stored; nothing is written.

    Raises
    ------
    TooFewBars
        If the bus holds less history than the recipe asks for.
    """
    recipe = session.recipe
    end = training_end(recipe, bar)
    instruments, timeframe, bars = recipe.market.instruments, recipe.market.bars, recipe.data.train_bars
    panel = load_panel(session.frames, instruments, timeframe, as_of=end, bars=bars)
    require_history(panel, recipe, end)
    asked = panel_query(instruments, timeframe, as_of=end, bars=_bars_learnt_from(recipe))
    panel = panel[panel.index.get_level_values(1) >= asked.start]
    span = _span(panel, asked)
    signatures = {factor.name: factor.signature for factor in select(recipe.factors.names)}
    model_id = model_id_of(
        training_hash=recipe.training_hash,
        data=span,
        factors=signatures,
        code_version=code_version(),
        library=version("lightgbm" if recipe.model.family == "lightgbm" else "numpy"),
    )
    is_stored = session.registry.contains(recipe.strategy_id, model_id)
    return Plan(model_id, end, span, signatures, is_stored, panel, asked)


def _bars_learnt_from(recipe: Recipe) -> int:
    """Return how many bars a model is made from: those that each stretch of a run learns from, and their look-back."""
    settings, most = recipe.model, recipe.data.train_bars
    if settings.train_bars is None or settings.grow:
        return most
    return min(most, settings.train_bars + lookback_bars(recipe.factors.names) - 1)


def _span(panel: pd.DataFrame, asked: MarketQuery) -> DataSpan:
    times = panel.index.get_level_values(1)
    return DataSpan(
        timeframe=asked.timeframe.name,
        first_open_time=times.min().to_pydatetime(),
        last_open_time=times.max().to_pydatetime(),
        bars={str(symbol): int(count) for symbol, count in panel.groupby(level=0).size().items()},
        snapshot_id=snapshot_id(panel, asked),
    )


def _manifest(
    session: Session, planned: Plan, model: Model, metrics: Mapping[str, float | int | None]
) -> Manifest:
    recipe = session.recipe
    return Manifest(
        model_id=planned.model_id,
        strategy_id=recipe.strategy_id,
        kind=model.kind,
        model_sha256=sha256_of(model.to_text()),
        trained_at=session.clock.now(),
        code_version=code_version(),
        training_hash=recipe.training_hash,
        seed=recipe.model.seed,
        data=planned.span,
        factors=planned.factors,
        label=recipe.label.told,
        metrics=metrics,
        description=model.describe(),
        libraries={"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}},
        limits=_limits(recipe, metrics),
    )


def _papers(manifest: Manifest, model: Model, table: TrainingTable) -> dict[str, str]:
    scores = 2.0 * model.predict(table.features) - 1.0
    return {
        "features.json": features_json(select(tuple(manifest.factors))),
        "feature_baseline.json": Baseline.of(table.features, scores).model_dump_json(indent=1) + "\n",
        "card.json": card_json(manifest),
        "card.md": card_markdown(manifest),
    }


def _limits(recipe: Recipe, metrics: Mapping[str, float | int | None]) -> tuple[str, ...]:
    """Say what the figures do not cover, and where they are bad."""
    limits = [
        f"It has seen {', '.join(recipe.market.pairs)} on {recipe.market.venue} at {recipe.market.timeframe}, "
        "and nothing else.",
        "The figures come from one stretch of time, before any cost of trading; `quantbus research promote` "
        "judges it after costs.",
    ]
    if recipe.model.calibration == "none":
        limits.append(
            "Its probabilities are not calibrated: they rank bars, and are not to be read as frequencies."
        )
    auc, rows = metrics.get("auc"), metrics.get("rows_validation") or 0
    if auc is None or auc < 0.52:
        limits.append("On bars it had not seen it did hardly better than chance, or could not be judged.")
    if rows < 1_000:
        limits.append(f"It was judged on {rows} rows, which is few: the figures may be luck.")
    return tuple(limits)


def validation_metrics(table: TrainingTable, recipe: Recipe) -> dict[str, float | int | None]:
    """Fit on the older part, judge on the newer; None where a figure cannot be had."""
    split = split_by_time(
        table.known_at,
        recipe.market.bars,
        validation_share=recipe.model.validation_share,
        embargo_bars=recipe.model.embargo_bars,
    )
    train, validation = split.train, split.validation
    counts = {"rows_train": int(train.sum()), "rows_validation": int(validation.sum())}
    if table.direction[train].nunique() < 2:
        return {**counts, "auc": None, "rank_ic": None, "hit_rate": None, "brier": None}
    judged = fit_model(
        table.features[train], table.direction[train], table.known_at[train], recipe.model, recipe.market.bars
    )
    said = judged.predict(table.features[validation])
    came = table.direction[validation].to_numpy(np.float64)
    returns = table.returns[validation].to_numpy(np.float64)
    scores = 2.0 * said - 1.0
    figures = {
        "auc": area_under_curve(scores, came),
        "rank_ic": rank_correlation(scores, returns),
        "hit_rate": hit_rate(scores, returns),
        # Mean squared error of the probabilities: 0.25 is what a coin gets.
        "brier": float(((said - came) ** 2).mean()) if len(came) else float("nan"),
    }
    return {**counts, **{name: _finite(value) for name, value in figures.items()}}


def _finite(value: float) -> float | None:
    return round(value, 6) if isfinite(value) else None
