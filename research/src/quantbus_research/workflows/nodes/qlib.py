"""The kind ``qlib``: scores of a model of Qlib's, each stretch by one that had not seen it."""

import hashlib
from collections.abc import Mapping
from importlib.metadata import packages_distributions, version
from importlib.util import find_spec
from math import isfinite
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quantbus_research.engine import Segments, rolled, rolling_segments
from quantbus_research.evaluation import rank_correlation
from quantbus_research.registry import sha256_of
from quantbus_research.scoring import places_of
from quantbus_research.settings.nodes import ArtefactType, QlibSettings
from quantbus_research.workflows.nodes._base import Artefact, Context, Inputs, Json, NodeKind
from quantbus_research.workflows.nodes._tables import features_of, handed_on, history_of, scored

__all__ = ["QLIB"]

_LIGHTGBM = "qlib.contrib.model.gbdt.LGBModel"
_LIBRARIES = ("numpy", "pandas", "pyqlib", "lightgbm", "xgboost", "catboost", "torch", "scikit-learn")
_DIGITS = 6


def run(inputs: Inputs, settings: QlibSettings, context: Context) -> Artefact:
    """Walk the model forward; a score is the place among the pairs of the same bar, -1 to 1."""
    features, timeframe = features_of(inputs), context.recipe.market.bars
    label = inputs.one(ArtefactType.LABEL)
    horizon = int(str(label.facts["horizon_bars"]))
    earned = label.table("label")["earned"].reindex(features.index)
    segments = rolling_segments(
        _complete(features),
        timeframe,
        train_bars=settings.train_bars,
        valid_bars=settings.valid_bars,
        test_bars=settings.retrain_bars,
        horizon_bars=horizon,
    )
    found = rolled(features, earned, segments, _model(settings), timeframe, horizon)
    stretches = _stretches(found.scores, earned, segments)
    facts: dict[str, Json] = {**handed_on(inputs.artefacts), "stretches": len(segments)}
    overall = rank_correlation(*_both(found.scores, earned))
    facts["rank_ic"] = round(overall, _DIGITS) if isfinite(overall) else None
    if found.newest is not None:
        facts |= {
            "model_sha256": sha256_of(found.newest),
            "model_id": f"run-{sha256_of(found.newest)[:16]}",
        }
    return Artefact(
        ArtefactType.SCORES,
        tables={"scores": scored(places_of(found.scores), history_of(inputs)), "stretches": stretches},
        texts={} if found.newest is None else {"model.txt": found.newest},
        facts=facts,
    )


def _complete(features: pd.DataFrame) -> pd.DatetimeIndex:
    """Return the times of bars at which some pair has most of its factors."""
    warm = features.notna().mean(axis=1) > 0.5
    return pd.DatetimeIndex(features.index[warm].get_level_values(1).unique()).sort_values()


def _model(settings: QlibSettings) -> Mapping[str, Any]:
    module, _, name = settings.model.rpartition(".")
    arguments: dict[str, Any] = dict(settings.arguments)
    if settings.model == _LIGHTGBM:
        held = {"seed": settings.seed, "deterministic": True, "force_row_wise": True, "verbosity": -1}
        arguments = {"loss": "mse", "num_threads": 1, **arguments, **held}
    return {"class": name, "module_path": module, "kwargs": arguments}


def _both(scores: pd.Series, earned: pd.Series) -> tuple[Any, Any]:
    came = earned.reindex(scores.index).to_numpy(np.float64)
    known = np.isfinite(came)
    return scores.to_numpy(np.float64)[known], came[known]


def _stretches(scores: pd.Series, earned: pd.Series, segments: list[Segments]) -> pd.DataFrame:
    opened = scores.index.get_level_values(1)
    rows = []
    for one in segments:
        inside = scores[(opened >= one.test[0]) & (opened <= one.test[1])]
        said, came = _both(inside, earned)
        rows.append({"start": one.test[0], "end": one.test[1], "rank_ic": rank_correlation(said, came)})
    return pd.DataFrame(rows).set_index("start")


def signatures(settings: QlibSettings) -> Mapping[str, str]:
    """Return what the class is made of, where it is not Qlib's own: its package's sources, or its release."""
    package = settings.model.partition(".")[0]
    if package == "qlib":
        return {}
    try:
        found = find_spec(package)
    except ValueError:  # of a module that was put together by hand
        found = None
    if found is None or found.origin is None:
        return {package: "absent"}
    if "site-packages" in Path(found.origin).parts:
        return {name: version(name) for name in sorted(set(packages_distributions().get(package, ())))}
    folders = [Path(folder) for folder in found.submodule_search_locations or ()]
    sources = sorted(path for folder in folders for path in folder.rglob("*.py")) or [Path(found.origin)]
    digest = hashlib.sha256()
    for path in sources:
        digest.update(path.name.encode() + b"\0" + hashlib.sha256(path.read_bytes()).digest())
    return {package: digest.hexdigest()}


QLIB = NodeKind(QlibSettings, run, libraries=_LIBRARIES, signatures=signatures)
