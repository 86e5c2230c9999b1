"""The audit itself: each factor's values against what came after them, bar by bar across symbols."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import nan

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research import evaluation
from quantbus_research.audits import _clusters, _portfolios
from quantbus_research.audits._base import Audit, AuditSettings, FactorFigures, HorizonFigures
from quantbus_research.audits._information import mean_of, robust_t, stabilities
from quantbus_research.audits._ranks import Grid, Ranked, rank_correlations, ranked
from quantbus_research.audits.screening import needed_t, screened
from quantbus_research.evaluation import bars_per_year
from quantbus_research.factors import compute
from quantbus_research.labels import forward_return

__all__ = ["audit_factors", "audit_values"]

Floats = NDArray[np.float64]
_AT_ONCE = 16
"""Factors computed together: enough to share work, few enough for memory."""


@dataclass(frozen=True, slots=True)
class _Ground:
    """What every factor is held against. ``split`` is the number of the bar with which the second half begins."""

    grid: Grid
    timeframe: Timeframe
    settings: AuditSettings
    returns: Mapping[int, Ranked]
    next_returns: Floats
    split: int


@dataclass(frozen=True, slots=True)
class _Seen:
    """One factor's figures, and the series behind them at the first horizon."""

    figures: FactorFigures
    rank_ics: Floats
    before: Floats
    after: Floats
    sample: _clusters.Sample


def audit_factors(
    panel: pd.DataFrame,
    names: Sequence[str],
    timeframe: Timeframe,
    settings: AuditSettings | None = None,
    *,
    since: datetime | None = None,
    seen: Callable[[str], None] = lambda name: None,
) -> Audit:
    """Audit factors by name.

    Parameters
    ----------
    panel
        As `quantbus_research.factors.compute` takes it; at least ``least_symbols`` symbols.
    since
        Judge bars from here on; those before it only warm the factors up.
    seen
        Told the name of each factor when it is done.

    Raises
    ------
    ConfigError
        If a name means no factor, or there are too few symbols or bars.
    """

    def values() -> Iterator[tuple[str, Floats]]:
        judged = _judged(panel.index, since)
        for start in range(0, len(names), _AT_ONCE):
            part = compute(panel, names[start : start + _AT_ONCE])
            for name in part.columns:
                yield str(name), part[name].to_numpy(np.float64)[judged]
                seen(str(name))

    judged_panel = panel[_judged(panel.index, since)]
    return _audit(judged_panel, values(), len(names), timeframe, settings or AuditSettings())


def audit_values(
    values: pd.DataFrame, panel: pd.DataFrame, timeframe: Timeframe, settings: AuditSettings | None = None
) -> Audit:
    """Audit any values on a panel's index, one column each: your own factors, or a model's predictions.

    What stands at a bar must have been known when it closed; an audit cannot tell, it can only be too good to be true.
    """
    if not values.index.equals(panel.index):
        raise ContractError("expected the values on the panel's own index; reindex them")
    columns = ((str(name), values[name].to_numpy(np.float64)) for name in values.columns)
    return _audit(panel, columns, values.shape[1], timeframe, settings or AuditSettings())


def _judged(index: pd.Index, since: datetime | None) -> NDArray[np.bool_]:
    if since is None:
        return np.ones(len(index), dtype=np.bool_)
    return np.asarray(index.get_level_values(1) >= pd.Timestamp(since), dtype=np.bool_)


def _audit(
    panel: pd.DataFrame,
    values: Iterator[tuple[str, Floats]],
    count: int,
    timeframe: Timeframe,
    settings: AuditSettings,
) -> Audit:
    if not count:
        raise ConfigError("expected at least one factor to audit, found none")
    ground = _ground(panel, timeframe, settings)
    found = [_one(name, ground.grid.spread(column), ground) for name, column in values]
    samples = {item.figures.name: item.sample for item in found if item.figures.varying > 0}
    table = _clusters.correlations(samples)
    least_t = needed_t(settings.screen.chance, count)
    times = ground.grid.times
    return Audit(
        timeframe=timeframe,
        symbols=ground.grid.symbols,
        first_bar=times[0],
        last_bar=times[-1],
        halfway=times[ground.split],
        bars=len(times),
        settings=settings,
        needed_t=least_t,
        factors=screened([item.figures for item in found], table, settings.screen, least_t),
        rank_ic=_daily({item.figures.name: item.rank_ics for item in found}, times, summed=False),
        before_costs=_daily({item.figures.name: item.before for item in found}, times, summed=True),
        after_costs=_daily({item.figures.name: item.after for item in found}, times, summed=True),
        correlations=table,
    )


def _ground(panel: pd.DataFrame, timeframe: Timeframe, settings: AuditSettings) -> _Ground:
    grid = Grid.of(panel.index)
    longest = max(settings.horizons + settings.decay)
    if len(grid.symbols) < settings.least_symbols:
        raise ConfigError(
            f"expected at least {settings.least_symbols} symbols, for factors are compared across them, "
            f"found {len(grid.symbols)}"
        )
    if len(grid.times) < 4 * longest:
        raise ConfigError(
            f"expected at least {4 * longest} bars for a horizon of {longest}, found {len(grid.times)}"
        )
    moved = {
        bars: grid.spread(
            forward_return(panel, timeframe, bars, entry="next_open").values.to_numpy(np.float64)
        )
        for bars in dict.fromkeys((1, *settings.horizons, *settings.decay))
    }
    returns = {bars: ranked(values) for bars, values in moved.items()}
    return _Ground(grid, timeframe, settings, returns, moved[1], len(grid.times) // 2)


def _one(name: str, values: Floats, ground: _Ground) -> _Seen:
    settings, factor = ground.settings, ranked(values)
    rank_ics = {
        bars: rank_correlations(factor, returns, settings.least_symbols)
        for bars, returns in ground.returns.items()
    }
    placed = _portfolios.quantiles_of(factor, settings.quantiles, settings.least_symbols)
    held = {
        bars: _portfolios.long_short(placed, ground.next_returns, settings.quantiles, bars)
        for bars in settings.horizons
    }
    horizons = tuple(_at(bars, rank_ics[bars], placed, held[bars], ground) for bars in settings.horizons)
    first, portfolio = horizons[0], held[settings.horizons[0]]
    before, after = _outcome(portfolio, first.direction, ground)
    later = np.arange(len(before)) >= ground.split
    figures = FactorFigures(
        name=name,
        coverage=float(factor.there.sum() / len(ground.grid.rows)),
        varying=float((factor.varies & (factor.counts >= settings.least_symbols)).mean()),
        decay={bars: mean_of(rank_ics[bars]) for bars in settings.decay},
        horizons=horizons,
        representative=name,
        correlation=nan,
        refusal=None,
    )
    before, after = (np.where(later, values, np.nan) for values in (before, after))
    return _Seen(figures, rank_ics[first.horizon_bars], before, after, _clusters.sample_of(factor))


def _at(
    bars: int,
    rank_ics: Floats,
    placed: NDArray[np.int64],
    held: _portfolios.LongShort,
    ground: _Ground,
) -> HorizonFigures:
    settings, split = ground.settings, ground.split
    there = rank_ics[np.isfinite(rank_ics)]
    mean = mean_of(rank_ics)
    spread = float(np.std(there, ddof=1)) if len(there) > 1 else nan
    # what was not known yet when the second half began must not choose its direction
    known = mean_of(rank_ics[: max(split - bars - 1, 0)])
    direction = int(np.sign(known)) if np.isfinite(known) else 0
    before, after = (series[split:] for series in _outcome(held, direction, ground))
    year = bars_per_year(ground.timeframe)
    gained, traded = float(before.mean()), 2 * float(held.exchanged[split:].mean())
    return HorizonFigures(
        horizon_bars=bars,
        bars=len(there),
        rank_ic=mean,
        ic_deviation=spread,
        icir=mean / spread if spread > 1e-12 else nan,
        t=robust_t(rank_ics, bars),
        positive=float((there > 0).mean()) if len(there) else nan,
        first_half=mean_of(rank_ics[:split]),
        second_half=mean_of(rank_ics[split:]),
        quantile_returns=_portfolios.quantile_returns(
            placed, ground.returns[bars].values, settings.quantiles
        ),
        turnover=float(held.exchanged.mean()),
        direction=direction,
        before_costs=gained * year,
        after_costs=float(after.mean() * year),
        sharpe=evaluation.sharpe_ratio(after, year) if direction else nan,
        break_even_rate=gained / traded if gained > 0 and traded > 0 else nan,
        stability=stabilities(rank_ics, ground.grid.times, ground.timeframe, settings.windows),
    )


def _outcome(held: _portfolios.LongShort, direction: int, ground: _Ground) -> tuple[Floats, Floats]:
    """Return what the portfolio gained per bar before and after costs; NaN without a direction."""
    if not direction:
        nothing = np.full(len(held.gained), np.nan)
        return nothing, nothing
    before = direction * held.gained
    return before, before - held.exchanged * ground.settings.costs.round_trip_rate()


def _daily(series: Mapping[str, Floats], times: pd.DatetimeIndex, *, summed: bool) -> pd.DataFrame:
    days = pd.DataFrame(dict(series), index=times).resample("1D")
    return days.sum(min_count=1) if summed else days.mean()
