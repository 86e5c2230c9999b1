"""What a dashboard is made of: plain values, from which Grafana's JSON is rendered."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

__all__ = [
    "CONSUMER",
    "STRATEGY",
    "Dashboard",
    "Panel",
    "Query",
    "Row",
    "Variable",
    "graph",
    "number",
    "quantiles",
    "table",
]

Kind = Literal["stat", "timeseries", "table"]
Unit = Literal["bytes", "dateTimeFromNow", "none", "percentunit", "s", "short"]
Step = tuple[float, str]
"""From this value on, this colour."""


@dataclass(frozen=True, slots=True)
class Query:
    """PromQL, in which ``$strategy`` and ``$consumer`` stand for what the reader has chosen."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """One picture. What is unknown is a gap or the word, never the value that it once had."""

    title: str
    says: str
    queries: tuple[Query, ...]
    kind: Kind
    unit: Unit = "short"
    width: int = 12
    height: int = 8
    steps: tuple[Step, ...] = ()
    words: tuple[tuple[int, str, str], ...] = ()
    """Values that are told by a word, in a colour."""
    stacked: bool = False
    unknown: str = "unknown"
    """What stands there when nothing is known."""


@dataclass(frozen=True, slots=True)
class Row:
    """A heading and the panels below it."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True, slots=True)
class Variable:
    """What the reader may choose: one, several or all values of a label."""

    name: str
    title: str
    label: str


STRATEGY = Variable("strategy", "Strategy", "strategy_id")
CONSUMER = Variable("consumer", "Consumer", "consumer_id")


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One page of panels. ``name`` makes its file and its address."""

    name: str
    title: str
    says: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()


def number(
    title: str,
    expr: str,
    says: str,
    *,
    legend: str = "",
    unit: Unit = "short",
    steps: Sequence[Step] = (),
    words: Sequence[tuple[int, str, str]] = (),
    width: int = 4,
    unknown: str = "unknown",
) -> Panel:
    """Return a panel of what holds now, asked for this moment and not for the last time that it was known."""
    return Panel(
        title,
        says,
        (Query(expr, legend),),
        "stat",
        unit=unit,
        width=width,
        height=4,
        steps=tuple(steps),
        words=tuple(words),
        unknown=unknown,
    )


def graph(
    title: str,
    queries: Query | Sequence[Query],
    says: str,
    *,
    unit: Unit = "short",
    steps: Sequence[Step] = (),
    width: int = 12,
    stacked: bool = False,
) -> Panel:
    """Return a panel of lines over time."""
    lines = (queries,) if isinstance(queries, Query) else tuple(queries)
    return Panel(
        title, says, lines, "timeseries", unit=unit, width=width, steps=tuple(steps), stacked=stacked
    )


def table(title: str, expr: str, says: str, *, unit: Unit, width: int = 24, unknown: str = "none") -> Panel:
    """Return a panel with a line for each series, its labels and its value now."""
    return Panel(title, says, (Query(expr),), "table", unit=unit, width=width, unknown=unknown)


def quantiles(title: str, metric: str, says: str, *, by: str = "", where: str = "") -> Panel:
    """Return the delays that 50, 95 and 99 of 100 stay below, for each value of the label ``by``."""
    labels = f"{by}, le" if by else "le"
    name = f"{{{{{by}}}}} " if by else ""
    chosen = f"{{{where}}}" if where else ""
    counted = f"sum by ({labels}) (rate({metric}_bucket{chosen}[$__rate_interval]))"
    lines = [
        Query(f"histogram_quantile({share}, {counted})", f"{name}p{share * 100:.0f}")
        for share in (0.5, 0.95, 0.99)
    ]
    return replace(graph(title, lines, says, unit="s"), width=8)
