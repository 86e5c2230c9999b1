"""The pictures of a factor audit."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from quantbus_research.audits import Audit, FactorFigures
from quantbus_research.reports.pictures import INK, LOSS, OTHER, drawn

__all__ = [
    "correlation_picture",
    "decay_picture",
    "long_short_picture",
    "quantile_picture",
    "rank_ic_picture",
    "steadiness_picture",
]

_COLOURS = (INK, OTHER, LOSS, "#4b8a5a", "#7d5ba6", "#888888")
_MOST_CELLS = 60


def rank_ic_picture(audit: Audit, factors: Sequence[FactorFigures]) -> str:
    """Draw the mean RankIC of each factor at each horizon."""

    def draw(figure: Any) -> None:  # noqa: ANN401 - matplotlib is loaded where it is needed
        axes, horizons = figure.subplots(), audit.settings.horizons
        places, width = np.arange(len(factors)), 0.8 / len(horizons)
        for number, bars in enumerate(horizons):
            heights = [item.horizons[number].rank_ic for item in factors]
            colour = _COLOURS[number % len(_COLOURS)]
            axes.bar(
                places + (number + 0.5) * width - 0.4,
                heights,
                width,
                color=colour,
                label=f"{bars} bar" if bars == 1 else f"{bars} bars",
            )
        axes.axhline(0, color="#444444", linewidth=0.7)
        axes.set_xticks(places, [item.name for item in factors], rotation=60, ha="right", fontsize=7)
        axes.set_ylabel("mean RankIC")
        axes.legend(frameon=False)

    return drawn(draw, height=3.6)


def decay_picture(audit: Audit, factors: Sequence[FactorFigures]) -> str:
    """Draw how the mean RankIC changes with the horizon."""

    def draw(figure: Any) -> None:  # noqa: ANN401 - matplotlib is loaded where it is needed
        axes, horizons = figure.subplots(), sorted(audit.settings.decay)
        places = np.arange(len(horizons))
        for colour, item in zip(_COLOURS, factors, strict=False):
            axes.plot(places, [item.decay[bars] for bars in horizons], "o-", color=colour, label=item.name)
        axes.axhline(0, color="#444444", linewidth=0.7)
        axes.set_xticks(places, [str(bars) for bars in horizons])
        axes.set_xlabel("horizon, bars")
        axes.set_ylabel("mean RankIC")
        axes.legend(frameon=False, fontsize=8)

    return drawn(draw, height=3.2)


def steadiness_picture(audit: Audit, factors: Sequence[FactorFigures]) -> str:
    """Draw the mean RankIC of the last so many days, day by day."""
    days = audit.settings.windows[0]
    rolled = audit.rank_ic.rolling(days).mean()
    return _lines(audit, rolled, factors, f"RankIC, mean of {days} days")


def long_short_picture(audit: Audit, factors: Sequence[FactorFigures]) -> str:
    """Draw the summed long-short returns of the second half, after costs in full and before them thin."""
    return _lines(
        audit, 100 * audit.after_costs.cumsum(), factors, "long-short, %", 100 * audit.before_costs.cumsum()
    )


def quantile_picture(audit: Audit, factors: Sequence[FactorFigures]) -> str:
    """Draw what each portfolio returned on average at the first horizon, in basis points, lowest values first."""

    def draw(figure: Any) -> None:  # noqa: ANN401 - matplotlib is loaded where it is needed
        axes, quantiles = figure.subplots(), audit.settings.quantiles
        places, width = np.arange(len(factors)), 0.8 / quantiles
        shades = np.linspace(0.25, 1.0, quantiles)
        for number, shade in enumerate(shades):
            heights = [1e4 * item.first.quantile_returns[number] for item in factors]
            left = places + (number + 0.5) * width - 0.4
            axes.bar(left, heights, width, color=INK, alpha=float(shade), label=str(number + 1))
        axes.axhline(0, color="#444444", linewidth=0.7)
        axes.set_xticks(places, [item.name for item in factors], rotation=20, ha="right", fontsize=8)
        axes.set_ylabel("mean return, basis points")
        axes.legend(frameon=False, ncols=quantiles, fontsize=8)

    return drawn(draw, height=3.2)


def correlation_picture(audit: Audit) -> str:
    """Draw the rank correlations of the factors, clusters side by side; the first where there are too many to read."""
    order = sorted(audit.factors, key=lambda item: (item.representative, item.name != item.representative))
    names = [item.name for item in order if item.name in audit.correlations.index][:_MOST_CELLS]

    def draw(figure: Any) -> None:  # noqa: ANN401 - matplotlib is loaded where it is needed
        axes = figure.subplots()
        image = axes.imshow(audit.correlations.loc[names, names], cmap="RdBu_r", vmin=-1, vmax=1, zorder=3)
        axes.set_xticks(range(len(names)), names, rotation=90, fontsize=6)
        axes.set_yticks(range(len(names)), names, fontsize=6)
        figure.colorbar(image, label="rank correlation")

    return drawn(draw, height=7.0) if names else ""


def _lines(
    audit: Audit,
    full: pd.DataFrame,
    factors: Sequence[FactorFigures],
    label: str,
    thin: pd.DataFrame | None = None,
) -> str:
    def draw(figure: Any) -> None:  # noqa: ANN401 - matplotlib is loaded where it is needed
        axes = figure.subplots()
        for colour, item in zip(_COLOURS, factors, strict=False):
            axes.plot(full.index, full[item.name], color=colour, linewidth=1.2, label=item.name)
            if thin is not None:
                axes.plot(thin.index, thin[item.name], color=colour, linewidth=0.6, alpha=0.6)
        axes.axhline(0, color="#444444", linewidth=0.7)
        axes.axvline(audit.halfway, color="#aaaaaa", linewidth=0.7, linestyle=":")
        axes.set_ylabel(label)
        axes.tick_params(axis="x", labelsize=7)
        axes.legend(frameon=False, fontsize=8)

    return drawn(draw, height=3.2)
