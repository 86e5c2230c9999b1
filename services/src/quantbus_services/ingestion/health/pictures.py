"""One picture of a series: its price, its volume, and what is missing each day; as SVG.

Colours are written as marks that the page's style sheet gives a value to, so that one picture fits light and dark.
"""

import io
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_services.ingestion.health.judge import SeriesHealth
from quantbus_services.ingestion.health.measure import Run

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["draw"]

_MARKS = {
    "#010101": "var(--ink)",
    "#020202": "var(--muted)",
    "#030303": "var(--line)",
    "#040404": "var(--bad)",
    "#050505": "var(--look)",
    "#060606": "var(--grid)",
}
_INK, _MUTED, _LINE, _BAD, _LOOK, _GRID = _MARKS
_COLUMNS = 420  # about one for each pixel of a phone
_DAY_MS = 86_400_000
Floats = npt.NDArray[np.float64]
Spans = Sequence[tuple[int, int]]
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 8.0,
    "text.color": _INK,
    "axes.labelcolor": _MUTED,
    "axes.edgecolor": _GRID,
    "xtick.color": _MUTED,
    "ytick.color": _MUTED,
    "grid.color": _GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def draw(columns: CandleColumns, health: SeriesHealth, confirmed: Spans = ()) -> str:
    """Return a picture of the bars and of what was found in them; empty if there is nothing to draw."""
    order = np.argsort(columns.open_times_ms, kind="stable")
    bars = columns.select(order[np.isfinite(columns.close[order])])
    if not len(bars):
        return ""
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise ConfigError(
            "expected matplotlib for the pictures of a page, found none; install quantbus-services[report]"
        ) from error

    with mpl.rc_context(_STYLE | {"svg.hashsalt": health.name}):
        panels = [_price, _volume, _missing] if health.measures.days else [_price, _volume]
        figure = Figure(figsize=(4.9, 2.3 + 0.55 * len(panels)))
        every = figure.subplots(
            len(panels), 1, sharex=True, height_ratios=(5, 2, 2)[: len(panels)], gridspec_kw={"hspace": 0.16}
        )
        for panel, axes in zip(panels, every, strict=True):
            axes.grid(axis="y", linewidth=0.5)
            axes.tick_params(length=0, which="both")
            axes.set_axisbelow(True)
            panel(axes, bars, health, confirmed)
        _date_axis(every[-1], bars)
        figure.align_ylabels(every)
        written = io.StringIO()
        figure.savefig(
            written,
            format="svg",
            transparent=True,
            bbox_inches="tight",
            pad_inches=0.03,
            metadata={"Date": None},
        )
    return _inline(written.getvalue(), health.name)


def _price(axes: "Axes", bars: CandleColumns, health: SeriesHealth, confirmed: Spans) -> None:
    times, columns = _thinned(bars.open_times_ms, {"low": bars.low, "high": bars.high, "close": bars.close})
    axes.fill_between(times, columns["low"], columns["high"], color=_LINE, alpha=0.35, linewidth=0)
    axes.plot(times, columns["close"], color=_LINE, linewidth=0.9)
    step = health.timeframe.seconds * 1000
    for gap in _longest(health.measures.gaps):
        covered = any(
            low <= gap.start_ms and gap.start_ms + gap.bars * step <= high for low, high in confirmed
        )
        axes.axvspan(
            _at(gap.start_ms),
            _at(gap.start_ms + gap.bars * step),
            color=_MUTED if covered else _BAD,
            alpha=0.35,
            linewidth=0.6,
        )
    positive = columns["low"] > 0
    if positive.all() and columns["high"].max() > 20 * columns["low"].min():
        from matplotlib.ticker import LogLocator, NullLocator

        axes.set_yscale("log")
        decades = np.log10(columns["high"].max() / columns["low"].min())
        axes.yaxis.set_major_locator(LogLocator(subs=(1.0,) if decades > 3 else (1.0, 3.0), numticks=7))
        axes.yaxis.set_minor_locator(NullLocator())
    jumps = health.measures.jumps[:200]
    moments = np.array([event.time_ms for event in jumps], dtype=np.float64)
    closes = np.interp(moments, bars.open_times_ms, bars.close)
    axes.plot(moments / _DAY_MS, closes, "^", color=_LOOK, markersize=4.5)
    axes.yaxis.set_major_formatter(_short)
    axes.set_ylabel("close")


def _volume(axes: "Axes", bars: CandleColumns, health: SeriesHealth, _confirmed: Spans) -> None:
    found = health.measures
    times, columns = _thinned(bars.open_times_ms, {"volume": np.nan_to_num(bars.volume)})
    axes.fill_between(times, 0, columns["volume"], color=_LINE, alpha=0.6, linewidth=0, step="mid")
    top = float(columns["volume"].max()) or 1.0
    spikes = sorted(found.spikes, key=lambda event: -event.value)[:200]
    axes.plot(
        [_at(event.time_ms) for event in spikes], [top * 1.12] * len(spikes), ".", color=_LOOK, markersize=4
    )
    for run in _longest(found.zero_runs):
        axes.plot([_at(run.start_ms)], [0], "|", color=_BAD, markersize=6, markeredgewidth=1.0)
    axes.set_ylim(0, top * 1.25)
    axes.set_ylabel("volume")
    axes.yaxis.set_major_formatter(_short)
    axes.yaxis.set_major_locator(_few_ticks())


def _missing(axes: "Axes", bars: CandleColumns, health: SeriesHealth, _confirmed: Spans) -> None:
    first, last = int(bars.open_times_ms[0]), int(bars.open_times_ms[-1])
    days = np.arange(first // _DAY_MS, last // _DAY_MS + 1) * _DAY_MS
    share = np.zeros(len(days))
    for day in health.measures.days:
        position = (day.start_ms - int(days[0])) // _DAY_MS
        if 0 <= position < len(days):
            share[position] = 100 * day.share
    width = max(1, -(-len(days) // (_COLUMNS // 3)))
    edges = np.arange(0, len(days), width)
    worst = np.maximum.reduceat(share, edges)
    axes.bar(
        [_at(int(days[edge])) for edge in edges], worst, width=width, align="edge", color=_BAD, linewidth=0
    )
    top = float(worst.max())
    axes.set_ylim(0, max(top * 1.15, 1.0))
    axes.set_ylabel("missing %\nof a day" if width == 1 else "missing %\nof worst day", fontsize=7)
    axes.yaxis.set_major_locator(_few_ticks())


def _date_axis(axes: "Axes", bars: CandleColumns) -> None:
    from matplotlib import dates

    axes.set_xlim(_at(int(bars.open_times_ms[0])), _at(int(bars.open_times_ms[-1]) + 1))

    locator = dates.AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]  # matplotlib's own
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(dates.ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]


def _thinned(times: npt.NDArray[np.int64], columns: dict[str, Floats]) -> tuple[Floats, dict[str, Floats]]:
    """Keep about one point for each pixel: the lowest low, highest high and volume, the last close."""
    edges = np.unique(np.linspace(0, len(times), min(_COLUMNS, len(times)), endpoint=False).astype(int))
    ends = np.append(edges[1:], len(times)) - 1
    kept: dict[str, Floats] = {}
    for name, values in columns.items():
        if name == "close":
            kept[name] = values[ends]
        else:
            kept[name] = (np.minimum if name == "low" else np.maximum).reduceat(values, edges)
    return times[ends] / _DAY_MS, kept


def _longest(runs: Sequence[Run]) -> list[Run]:
    return sorted(runs, key=lambda run: -run.bars)[:200]


def _at(milliseconds: int) -> float:
    """Return a time as matplotlib counts it: days since 1970."""
    return milliseconds / _DAY_MS


def _short(value: float, _position: float) -> str:
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:g}{letter}"
    return f"{value:g}"


def _few_ticks() -> Any:  # noqa: ANN401  # matplotlib's locators share no public type
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=3, min_n_ticks=2)


def _inline(svg: str, name: str) -> str:
    """Cut the SVG out of its file, make it scale, and hand its colours to the style sheet."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(<svg\b[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg\b[^>]*?) height="[^"]*"', r"\1", body, count=1)
    body = re.sub(r"(\d\.\d\d)\d+", r"\1", body)  # a hundredth of a point is finer than any screen
    for mark, variable in _MARKS.items():
        body = body.replace(mark, variable)
    label = name.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    return body.replace("<svg", f'<svg role="img" aria-label="Price, volume and missing bars of {label}"', 1)
