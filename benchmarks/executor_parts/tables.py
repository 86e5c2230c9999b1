"""How delays are shown: percentiles of both bots side by side, as a table or as JSON."""

import json
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from rich.console import Console
from rich.table import Table

from executor_parts.timeline import KINDS, Delays

SHARES = {"p50": 0.50, "p95": 0.95, "p99": 0.99}


@dataclass(frozen=True)
class Line:
    """One kind of delay at one throttle, in seconds."""

    throttle_seconds: int
    kind: str
    orders: int
    ours: dict[str, float]
    alone: dict[str, float]

    @property
    def added(self) -> dict[str, float]:
        """What ours takes longer, by percentile."""
        return {name: self.ours[name] - self.alone[name] for name in SHARES}


def percentile(values: list[float], share: float) -> float:
    """Return the value below which that share of all lies (the nearest one that was seen)."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def lines_of(delays: Mapping[int, Delays]) -> list[Line]:
    """Return one line for each throttle and kind of delay."""
    return [
        Line(
            throttle,
            kind,
            len(found.ours[kind]),
            {name: percentile(found.ours[kind], share) for name, share in SHARES.items()},
            {name: percentile(found.alone[kind], share) for name, share in SHARES.items()},
        )
        for throttle, found in delays.items()
        for kind in KINDS
        if found.ours[kind] and found.alone[kind]
    ]


def show(lines: list[Line], notes: list[str], *, missing: int, as_json: bool) -> None:
    """Print everything."""
    if as_json:
        figures = [asdict(line) | {"added": line.added} for line in lines]
        sys.stdout.write(
            json.dumps({"figures": figures, "missing": missing, "notes": notes}, indent=1) + "\n"
        )
        return
    table = Table(title="Seconds until the order: quantbus, and Freqtrade alone")
    for column in ("throttle", "delay", "orders", "", *SHARES):
        table.add_column(column, justify="left" if column in ("delay", "") else "right")
    for line in lines:
        rows = (("ours", line.ours), ("alone", line.alone), ("added", line.added))
        for who, values in rows:
            first = who == "ours"
            head = (f"{line.throttle_seconds} s", line.kind, str(line.orders)) if first else ("", "", "")
            figures = [f"{values[name]:.2f}" for name in SHARES]
            table.add_row(*head, who, *figures, style="bold" if who == "added" else None)
        table.add_section()
    console = Console(width=120)
    console.print(table)
    for note in notes:
        console.print(note)
