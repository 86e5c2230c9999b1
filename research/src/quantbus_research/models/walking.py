"""Walk-forward: what models would have said about bars they had not seen, retrained as time went by."""

from collections.abc import Sequence
from dataclasses import dataclass

import joblib
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import Fold, expanding, walk_forward
from quantbus_research.evaluation import area_under_curve, rank_correlation
from quantbus_research.models._base import Model
from quantbus_research.models.families import fit_model
from quantbus_research.settings import ModelSettings

__all__ = ["FoldFigures", "Walked", "walked"]


@dataclass(frozen=True, slots=True)
class FoldFigures:
    """One stretch of time, and how a model did there that had seen only what was known when it began.

    Figures are NaN where they do not exist: no label is known yet, or only one outcome occurs.
    """

    start: pd.Timestamp
    end: pd.Timestamp
    rows_train: int
    rows_test: int
    auc: float
    rank_ic: float
    brier: float


@dataclass(frozen=True, slots=True)
class Walked:
    """Scores out of sample (-1..1), indexed by (symbol, datetime), and the stretches they come from.

    ``newest`` is the model of the last stretch.
    """

    scores: pd.Series
    folds: tuple[FoldFigures, ...]
    newest: Model


@dataclass(frozen=True, slots=True)
class _Rows:
    features: pd.DataFrame
    direction: pd.Series
    returns: pd.Series
    known_at: pd.Series


@dataclass(frozen=True, slots=True)
class _Stretch:
    test: NDArray[np.bool_]
    scores: NDArray[np.float64]
    figures: FoldFigures
    model: Model


def walked(
    features: pd.DataFrame,
    direction: pd.Series,
    returns: pd.Series,
    known_at: pd.Series,
    settings: ModelSettings,
    timeframe: Timeframe,
    *,
    train_bars: int,
    test_bars: int,
    keep_all: bool = False,
    jobs: int = 1,
) -> Walked:
    """Fit on ``train_bars`` bars, predict the ``test_bars`` after them, move on, to the newest row.

    Stretches begin at bars whose number since 1970 is a multiple of ``test_bars``.

    A row trains only if its label was known when the first bar that is predicted opened. Rows without a label are
    predicted as well: that is what the newest ones are like.

    Parameters
    ----------
    features
        Complete rows by (symbol, datetime = bar open time, UTC).
    direction, returns, known_at
        On the same index, NaN (NaT) where there is no label; directions are 0.0 or 1.0.
    keep_all
        Train on all bars before, at least ``train_bars``.
    jobs
        Stretches that are fitted at the same time; the result is the same bit for bit.

    Raises
    ------
    ConfigError
        If the rows are too few for one stretch, or a stretch has only one outcome to learn from.
    """
    rows = _Rows(features, direction, returns, known_at)
    cut = expanding if keep_all else walk_forward
    # Every row has its place in time; what it teaches is looked at in each fold.
    placed = known_at.where(known_at.notna(), _far(known_at))
    folds = cut(
        placed,
        timeframe,
        train_bars=train_bars,
        test_bars=test_bars,
        embargo_bars=settings.embargo_bars,
        anchored=True,
    )
    done = joblib.Parallel(n_jobs=jobs, prefer="threads")(
        joblib.delayed(_one)(rows, fold, settings, timeframe) for fold in folds
    )
    return _joined(features, done)


def _far(known_at: pd.Series) -> pd.Timestamp:
    """Return a moment after every label: what is not known yet trains nothing."""
    opened = pd.DatetimeIndex(known_at.index.get_level_values(1))
    last: pd.Timestamp = opened.max()
    return last + pd.Timedelta(days=36_500)


def _one(rows: _Rows, fold: Fold, settings: ModelSettings, timeframe: Timeframe) -> _Stretch:
    model = fit_model(
        rows.features[fold.train],
        rows.direction[fold.train],
        rows.known_at[fold.train],
        settings,
        timeframe,
    )
    said = model.predict(rows.features[fold.test])
    return _Stretch(fold.test, 2.0 * said - 1.0, _figures(rows, fold, said), model)


def _figures(rows: _Rows, fold: Fold, said: NDArray[np.float64]) -> FoldFigures:
    came = rows.direction[fold.test].to_numpy(np.float64)
    known = np.isfinite(came)
    outcomes, odds = came[known], said[known]
    moved = rows.returns[fold.test].to_numpy(np.float64)[known]
    ((start, end),) = fold.periods
    return FoldFigures(
        start=start,
        end=end,
        rows_train=int(fold.train.sum()),
        rows_test=int(fold.test.sum()),
        auc=area_under_curve(odds, outcomes),
        rank_ic=rank_correlation(odds, moved),
        brier=float(np.mean((odds - outcomes) ** 2)) if len(odds) else float("nan"),
    )


def _joined(features: pd.DataFrame, done: Sequence[_Stretch]) -> Walked:
    said, seen = np.full(len(features), np.nan), np.zeros(len(features), dtype=bool)
    for stretch in done:
        said[stretch.test] = stretch.scores
        seen |= stretch.test
    told = pd.Series(said[seen], index=features.index[seen], name="score")
    return Walked(told.sort_index(), tuple(stretch.figures for stretch in done), done[-1].model)
