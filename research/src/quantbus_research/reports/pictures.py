"""The pictures of a report, drawn by matplotlib and handed over as PNG, ready to stand inside a page."""

import base64
import io
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from quantbus_research import evaluation
from quantbus_research.backtests import Backtest
from quantbus_research.settings.extras import load

__all__ = [
    "INK",
    "LOSS",
    "OTHER",
    "costs_picture",
    "drawn",
    "equity_picture",
    "months_picture",
    "symbols_picture",
    "trading_picture",
]

INK, _SHADE, OTHER, LOSS = "#1f4e79", "#9db8d2", "#b07a2a", "#a33b3b"
_WIDTH, _DOTS_PER_INCH = 9.0, 110
_MOST_POINTS = 2_000


def equity_picture(backtest: Backtest, holding: Backtest | None = None) -> str:
    """Draw the account's worth over time, holding beside it, and the drawdown below."""

    def draw(figure: Any) -> None:  # noqa: ANN401 - matplotlib is loaded where it is needed
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        equity = _thinned(backtest.equity)
        upper.plot(equity.index, equity, color=INK, linewidth=1.3, label="strategy")
        if holding is not None:
            held = _thinned(holding.equity)
            upper.plot(held.index, held, color=OTHER, linewidth=1.0, label="buy and hold")
        upper.axhline(backtest.capital, color="#888888", linewidth=0.7)
        upper.set_ylabel("worth")
        upper.legend(frameon=False, loc="upper left")
        depth = evaluation.drawdowns(backtest.equity.to_numpy(), backtest.capital)
        below = _thinned(pd.Series(-100 * depth, index=backtest.equity.index))
        lower.fill_between(below.index, below, 0, color=LOSS, alpha=0.6, linewidth=0)
        lower.set_ylabel("drawdown, %")

    return drawn(draw, height=4.6)


def trading_picture(backtest: Backtest) -> str:
    """Draw exposure over time, and each month's turnover as a multiple of the capital."""

    def draw(figure: Any) -> None:  # noqa: ANN401 - matplotlib is loaded where it is needed
        upper, lower = figure.subplots(2, 1, height_ratios=[1, 1])
        equity = backtest.equity
        for name, values, colour in (
            ("gross", evaluation.gross_exposure(backtest.values, equity.to_numpy()), _SHADE),
            ("net", evaluation.net_exposure(backtest.values, equity.to_numpy()), INK),
        ):
            daily = pd.Series(values, index=equity.index).resample("1D").mean()
            upper.plot(daily.index, daily, color=colour, linewidth=1.0, label=name)
        upper.set_ylabel("exposure (daily mean)")
        upper.legend(frameon=False, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2)
        share = pd.Series(backtest.traded_value / equity.to_numpy(), index=equity.index)
        monthly = share.groupby(backtest.market.times.strftime("%Y-%m")).sum()
        _bars(lower, {str(month): float(value) for month, value in monthly.items()}, colour=_SHADE)
        lower.set_ylabel("turnover a month, times")

    return drawn(draw, height=4.4)


def months_picture(per_month: Mapping[str, float]) -> str:
    """Draw the return of each month."""
    return drawn(lambda figure: _bars(figure.subplots(), _percent(per_month), label="return, %"), height=2.4)


def symbols_picture(per_symbol: Mapping[str, Mapping[str, float]]) -> str:
    """Draw what each symbol brought in, best first."""
    gained = sorted(per_symbol.items(), key=lambda item: -item[1]["profit"])
    values = {name.rpartition(":")[2]: row["profit"] for name, row in gained}
    return drawn(lambda figure: _bars(figure.subplots(), values, label="profit"), height=2.6)


def costs_picture(returns: Mapping[str, float]) -> str:
    """Draw the return at each assumption about costs."""
    return drawn(lambda figure: _bars(figure.subplots(), _percent(returns), label="return, %"), height=2.6)


def _bars(axes: Any, values: Mapping[str, float], *, colour: str | None = None, label: str = "") -> None:  # noqa: ANN401
    places = np.arange(len(values))
    heights = np.array(list(values.values()), dtype=np.float64)
    colours = colour or [INK if height >= 0 else LOSS for height in heights]
    axes.bar(places, heights, color=colours, width=0.75)
    axes.axhline(0, color="#444444", linewidth=0.7)
    step = max(1, len(values) // 28)
    slanted = len(values) > 8
    axes.set_xticks(
        places[::step],
        list(values)[::step],
        rotation=45 if slanted else 0,
        ha="right" if slanted else "center",
        fontsize=8,
    )
    axes.set_ylabel(label)


def drawn(draw: Callable[[Any], None], *, height: float) -> str:
    """Return what ``draw`` puts on a figure as a data address of a PNG."""
    figures = load("matplotlib.figure", extra="reports", purpose="a report's picture")
    figure = figures.Figure(figsize=(_WIDTH, height), dpi=_DOTS_PER_INCH, layout="constrained")
    draw(figure)
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(visible=True, axis="y", color="#dddddd", linewidth=0.6)
        axes.set_axisbelow(True)
    held = io.BytesIO()
    figure.savefig(held, format="png", metadata={"Software": None})
    return "data:image/png;base64," + base64.b64encode(held.getvalue()).decode()


def _percent(values: Mapping[str, float]) -> dict[str, float]:
    return {name: 100 * value for name, value in values.items()}


def _thinned(series: pd.Series) -> pd.Series:
    """Return at most a few thousand points, the lowest and the highest of each stretch among them."""
    length = -(-len(series) // (_MOST_POINTS // 2))
    if length <= 2:
        return series
    stretch = pd.Series(np.arange(len(series)) // length, index=series.index)
    ends = series.groupby(stretch.to_numpy()).agg(["idxmin", "idxmax"])
    kept = pd.Index(ends.to_numpy().ravel()).union(series.index[[0, -1]]).unique().sort_values()
    thinned: pd.Series = series.loc[kept]
    return thinned
