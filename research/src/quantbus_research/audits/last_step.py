"""The last screening step: of factors that stand on their own, which still say something beside the others.

Everything is fitted on the older part of time, on rows whose return was known before the newer part began, and judged
on the newer part. Values are ranks within a bar, from -1 to 1, so that nothing of another bar is in them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.linear_model import ElasticNetCV, LassoCV

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.audits._information import mean_of
from quantbus_research.audits._ranks import Grid, rank_correlations, ranked
from quantbus_research.dataset import Split, expanding, split_by_time
from quantbus_research.labels import forward_return

__all__ = ["Component", "LastStep", "Orthogonal", "Selection", "orthogonalised", "select_last"]

Floats = NDArray[np.float64]
_STILL = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class LastStep:
    """How the last step is done.

    Attributes
    ----------
    method
        ``lasso`` gives weight to few factors; ``elastic_net`` shares it between those that say nearly the same.
    l1_ratio
        Of the elastic net: 1 is a lasso.
    train_share
        The older part of the bars, on which all is fitted.
    folds
        Into how many parts that is cut, going forward in time, to choose the penalty.
    variance
        Share of the variance that the components of an orthogonalisation keep.
    most_bars
        Fit on at most so many bars of the older part, evenly spaced.
    least_symbols
        A bar with fewer symbols has no RankIC.
    """

    method: Literal["lasso", "elastic_net"] = "lasso"
    l1_ratio: float = 0.5
    train_share: float = 0.5
    folds: int = 4
    variance: float = 0.95
    most_bars: int = 4_000
    least_symbols: int = 5

    def __post_init__(self) -> None:
        """Refuse what makes no sense."""
        for name in ("l1_ratio", "train_share", "variance"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise ConfigError(
                    f"{name}: expected a share above 0 and at most 1, found {getattr(self, name)!r}"
                )
        if self.train_share > 0.95 or self.folds < 2 or self.most_bars < 10:
            raise ConfigError(
                "expected a train_share of at most 0.95, 2 folds or more and 10 bars or more, found "
                f"{self.train_share!r}, {self.folds!r} and {self.most_bars!r}"
            )


@dataclass(frozen=True, slots=True)
class Selection:
    """Which factors got a weight, and what the weighted sum was worth on time that had no part in it.

    Attributes
    ----------
    judged_from
        The first bar of the newer part.
    penalty
        By cross-validation within the older part; the greatest that was tried where nothing was found.
    weights
        Of each factor, 0.0 for those that were dropped.
    rank_ic, rank_ic_later
        Mean RankIC of the weighted sum in the older and in the newer part; NaN without any weight.
    best, best_later
        The strongest single factor of the older part, and its RankIC in the newer part, turned so that it was above
        zero in the older.
    """

    settings: LastStep
    judged_from: pd.Timestamp
    rows: int
    penalty: float
    weights: Mapping[str, float]
    rank_ic: float
    rank_ic_later: float
    best: str
    best_later: float

    @property
    def chosen(self) -> tuple[str, ...]:
        """The factors with a weight, the heaviest first."""
        held = {name: abs(weight) for name, weight in self.weights.items() if abs(weight) > _STILL}
        return tuple(sorted(held, key=lambda name: (-held[name], name)))

    @property
    def told(self) -> str:
        """What may be said of it, in a sentence."""
        count = len(self.weights)
        if not self.chosen:
            return f"The last step gave none of {count} factors a weight: none would have held up in the older part."
        adds = "more than" if self.rank_ic_later > self.best_later else "no more than"
        return (
            f"The last step kept {len(self.chosen)} of {count} factors. From {self.judged_from:%Y-%m-%d} on, which "
            f"it had not seen, their weighted sum had a RankIC of {self.rank_ic_later:+.4f}, {adds} {self.best} alone "
            f"({self.best_later:+.4f})."
        )


@dataclass(frozen=True, slots=True)
class Component:
    """One direction that is uncorrelated with the others: its share of the variance and its RankIC before and after."""

    name: str
    variance: float
    rank_ic: float
    rank_ic_later: float


@dataclass(frozen=True, slots=True)
class Orthogonal:
    """Factors turned into components that are uncorrelated in the older part.

    ``loadings`` (n_components, n_factors) are orthonormal; ``means`` are of the older part.
    """

    judged_from: pd.Timestamp
    loadings: pd.DataFrame
    means: pd.Series
    components: tuple[Component, ...]

    def transform(self, values: pd.DataFrame) -> pd.DataFrame:
        """Return the components of any values by (symbol, datetime); each bar for itself, nothing is fitted."""
        missing = [name for name in self.loadings.columns if name not in values.columns]
        if missing:
            raise ContractError(
                f"expected the factors {', '.join(missing)}, found {', '.join(map(str, values))}"
            )
        placed = _placed(values[list(self.loadings.columns)]) - self.means.to_numpy(np.float64)
        return pd.DataFrame(
            placed @ self.loadings.to_numpy(np.float64).T,
            index=values.index,
            columns=list(self.loadings.index),
        )


@dataclass(frozen=True, slots=True)
class _Ground:
    grid: Grid
    returns: pd.Series
    placed: Floats
    target: Floats
    split: Split
    fitted: NDArray[np.intp]
    known_at: pd.Series


def select_last(
    values: pd.DataFrame,
    panel: pd.DataFrame,
    timeframe: Timeframe,
    horizon_bars: int = 1,
    settings: LastStep | None = None,
) -> Selection:
    """Fit the ranks of later returns to the ranks of all factors together, with a penalty that drops what adds nothing.

    Parameters
    ----------
    values
        One column a factor, on the panel's own index; a missing value lies in the middle of its bar.

    Raises
    ------
    ConfigError
        If there are fewer than two factors, or too few bars to cut into folds.
    """
    wanted = settings or LastStep()
    ground = _ground(values, panel, timeframe, horizon_bars, wanted)
    folds = _folds(ground, timeframe, wanted)
    model = _fitted(ground.placed[ground.fitted], ground.target[ground.fitted], folds, wanted)
    weights = np.asarray(model.coef_, dtype=np.float64)
    single = [_worth(ground, ground.placed[:, column], wanted) for column in range(values.shape[1])]
    strongest = int(np.argmax([abs(before) if before == before else -1.0 for before, _ in single]))
    whole = (float("nan"), float("nan"))
    if (np.abs(weights) > _STILL).any():
        whole = _worth(ground, ground.placed @ weights, wanted)
    before, later = single[strongest]
    return Selection(
        settings=wanted,
        judged_from=ground.split.boundary,
        rows=len(ground.fitted),
        penalty=float(model.alpha_),
        weights={str(name): float(weight) for name, weight in zip(values.columns, weights, strict=True)},
        rank_ic=whole[0],
        rank_ic_later=whole[1],
        best=str(values.columns[strongest]),
        best_later=float(np.sign(before)) * later,
    )


def orthogonalised(
    values: pd.DataFrame,
    panel: pd.DataFrame,
    timeframe: Timeframe,
    horizon_bars: int = 1,
    settings: LastStep | None = None,
) -> Orthogonal:
    """Turn factors into principal components of the older part, as many as keep the wanted share of its variance.

    Raises
    ------
    ConfigError
        If there are fewer than two factors.
    """
    wanted = settings or LastStep()
    ground = _ground(values, panel, timeframe, horizon_bars, wanted)
    found = PCA(svd_solver="full").fit(ground.placed[ground.fitted])
    shares = np.asarray(found.explained_variance_ratio_, dtype=np.float64)
    count = int(np.searchsorted(np.cumsum(shares), wanted.variance - 1e-9) + 1)
    loadings = np.asarray(found.components_[:count], dtype=np.float64)
    # A direction has no sign of its own: its greatest loading is above zero.
    loadings *= np.sign(loadings[np.arange(len(loadings)), np.abs(loadings).argmax(axis=1)])[:, None]
    means = np.asarray(found.mean_, dtype=np.float64)
    names = [f"component_{number}" for number in range(1, len(loadings) + 1)]
    scores = (ground.placed - means) @ loadings.T
    worth = [_worth(ground, scores[:, column], wanted) for column in range(len(loadings))]
    return Orthogonal(
        judged_from=ground.split.boundary,
        loadings=pd.DataFrame(loadings, index=names, columns=list(values.columns)),
        means=pd.Series(means, index=list(values.columns)),
        components=tuple(
            Component(name, float(share), *both)
            for name, share, both in zip(names, shares, worth, strict=False)
        ),
    )


def _ground(
    values: pd.DataFrame, panel: pd.DataFrame, timeframe: Timeframe, horizon_bars: int, wanted: LastStep
) -> _Ground:
    if not values.index.equals(panel.index):
        raise ContractError("expected the values on the panel's own index; reindex them")
    if values.shape[1] < 2:
        raise ConfigError(f"expected at least two factors to choose between, found {values.shape[1]}")
    moved = forward_return(panel, timeframe, horizon_bars, entry="next_open")
    split = split_by_time(
        moved.known_at.where(moved.known_at.notna(), _never(moved.known_at)),
        timeframe,
        validation_share=1.0 - wanted.train_share,
        embargo_bars=0,
    )
    older = split.train & moved.known_at.notna().to_numpy()
    opened = panel.index.get_level_values(1)
    bars = opened[older].unique().sort_values()
    step = max(1, -(-len(bars) // wanted.most_bars))
    fitted = np.flatnonzero(older & np.asarray(opened.isin(bars[::step])))
    return _Ground(
        grid=Grid.of(panel.index),
        returns=moved.values,
        placed=_placed(values),
        target=_placed(moved.values.to_frame())[:, 0],
        split=split,
        fitted=fitted,
        known_at=moved.known_at,
    )


def _never(known_at: pd.Series) -> pd.Timestamp:
    newest = pd.DatetimeIndex(known_at.index.get_level_values(1)).max()
    return newest + pd.Timedelta(days=36_500)


def _placed(values: pd.DataFrame) -> Floats:
    """Return each value's place within its bar, -1 lowest to 1 highest; 0 where there is none, or no other."""
    ranks = values.where(np.isfinite(values)).groupby(level=1, sort=False).rank(method="average")
    counts = ranks.groupby(level=1, sort=False).transform("count")
    places = 2.0 * (ranks - 1.0) / (counts - 1.0).where(counts > 1) - 1.0
    return np.asarray(places.fillna(0.0), dtype=np.float64)


def _folds(
    ground: _Ground, timeframe: Timeframe, wanted: LastStep
) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    known_at = ground.known_at.iloc[ground.fitted]
    opened = pd.DatetimeIndex(known_at.index.get_level_values(1))
    span = int((opened.max() - opened.min()).total_seconds() // timeframe.seconds) + 1
    size = max(1, span // (wanted.folds + 1))
    folds = expanding(known_at, timeframe, train_bars=size, test_bars=size)
    return [
        (np.flatnonzero(fold.train), np.flatnonzero(fold.test))
        for fold in folds
        if fold.train.any() and fold.test.any()
    ]


def _fitted(
    rows: Floats, target: Floats, folds: list[tuple[NDArray[np.intp], NDArray[np.intp]]], wanted: LastStep
) -> Any:  # noqa: ANN401 - scikit-learn has no type information
    if wanted.method == "lasso":
        return LassoCV(cv=folds, fit_intercept=False, max_iter=20_000).fit(rows, target)
    return ElasticNetCV(l1_ratio=wanted.l1_ratio, cv=folds, fit_intercept=False, max_iter=20_000).fit(
        rows, target
    )


def _worth(ground: _Ground, scores: Floats, wanted: LastStep) -> tuple[float, float]:
    """Return the mean RankIC of scores in the older part, as far as it was known there, and in the newer one."""
    later = ground.split.validation
    found = []
    for rows in (ground.split.train, later):
        here = np.where(rows, scores, np.nan)
        moved = ground.returns.to_numpy(np.float64)
        both = rank_correlations(
            ranked(ground.grid.spread(here)), ranked(ground.grid.spread(moved)), wanted.least_symbols
        )
        found.append(mean_of(both))
    return found[0], found[1]
