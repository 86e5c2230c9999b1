"""The kind ``model``: scores of bars by models that had not seen them, each retrained as time went by."""

from collections.abc import Sequence
from dataclasses import asdict
from math import isfinite

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.evaluation import area_under_curve, rank_correlation
from quantbus_research.models import FoldFigures, walked
from quantbus_research.registry import sha256_of
from quantbus_research.settings.nodes import ArtefactType, ModelSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, Json, NodeKind
from quantbus_research.workflows.nodes._tables import features_of, handed_on, history_of, scored

__all__ = ["MODEL"]

_DIGITS = 6


def run(inputs: Inputs, settings: ModelSettings, context: Context) -> Artefact:
    """Walk forward through the bars. Rows over a gap neither teach nor are scored.

    Raises
    ------
    ConfigError
        If the bars do not suffice for one stretch after the first training.
    """
    features, history = features_of(inputs), history_of(inputs)
    whole = features.notna().all(axis=1) & history["unbroken"].reindex(features.index)
    label = inputs.one(ArtefactType.LABEL).table("label").reindex(features.index)[whole]
    features = features[whole]
    if features.empty:
        raise ConfigError("expected bars with complete factors to learn from, found none; load more of them")
    found = walked(
        features,
        label["direction"],
        label["returns"],
        label["known_at"],
        settings,
        context.recipe.market.bars,
        train_bars=settings.train_bars or _half(features),
        test_bars=settings.retrain_bars,
        keep_all=settings.grow,
        jobs=context.jobs,
    )
    text = found.newest.to_text()
    told: dict[str, Json] = {
        **handed_on(inputs.artefacts),
        **_figures(found.scores, label),
        "stretches": len(found.folds),
        "model_sha256": sha256_of(text),
        "model_id": f"run-{sha256_of(text)[:16]}",
    }
    return Artefact(
        ArtefactType.SCORES,
        tables={"scores": scored(found.scores, history), "stretches": _stretches(found.folds)},
        texts={"model.txt": text},
        facts=told,
    )


def _half(features: pd.DataFrame) -> int:
    times = features.index.get_level_values(1)
    return max(1, times.nunique() // 2)


def _figures(scores: pd.Series, label: pd.DataFrame) -> dict[str, Json]:
    """Say how well all scores out of sample ordered what came, as far as that is known."""
    came = label["direction"].reindex(scores.index).to_numpy(np.float64)
    moved = label["returns"].reindex(scores.index).to_numpy(np.float64)
    known = np.isfinite(came)
    said = scores.to_numpy(np.float64)[known]
    odds = (said + 1.0) / 2.0
    figures = {
        "auc": area_under_curve(said, came[known]),
        "rank_ic": rank_correlation(said, moved[known]),
        "brier": float(np.mean((odds - came[known]) ** 2)) if len(odds) else float("nan"),
    }
    return {name: round(value, _DIGITS) if isfinite(value) else None for name, value in figures.items()}


def _stretches(folds: Sequence[FoldFigures]) -> pd.DataFrame:
    return pd.DataFrame([asdict(fold) for fold in folds]).set_index("start")


MODEL = NodeKind(ModelSettings, run, libraries=("numpy", "pandas", "lightgbm", "scikit-learn"))
