"""What ``quantbus ingest health`` says at the end: JSON for scripts, a table for people; pure."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from rich.markup import escape
from rich.table import Table

from quantbus_services.ingestion.health.judge import SeriesHealth, moment
from quantbus_services.ingestion.health.measure import Measures

__all__ = ["health_json", "health_table", "tradable"]

_STYLES = {"bad": "red", "look": "yellow", "good": "green"}
WORDS = {"bad": "do not trade", "look": "tradable, look", "good": "tradable"}


def tradable(found: Sequence[SeriesHealth]) -> bool:
    """Tell whether every series may be traded on."""
    return all(item.verdict != "bad" for item in found)


def health_json(found: Sequence[SeriesHealth]) -> dict[str, Any]:
    """Return the verdict, and the numbers of every series."""
    return {"tradable": tradable(found), "series": [_series(item) for item in found]}


def _series(item: SeriesHealth) -> dict[str, Any]:
    return {
        "name": item.name,
        "timeframe": item.timeframe.name,
        "verdict": item.verdict,
        "issues": [asdict(issue) for issue in item.issues],
        **_numbers(item.measures),
    }


def _numbers(found: Measures) -> dict[str, Any]:
    return {
        "rows": found.rows,
        "bars": found.bars,
        "first": _told(found.first_ms),
        "last": _told(found.last_ms),
        "gaps": len(found.gaps),
        "missing": found.missing,
        "missing_confirmed": found.confirmed,
        "missing_share": found.missing_share,
        "longest_gap": max((gap.bars for gap in found.gaps), default=0),
        "missing_per_day": {f"{moment(day.start_ms):%Y-%m-%d}": round(day.share, 6) for day in found.days},
        "unreadable": found.unreadable,
        "duplicates": found.duplicates,
        "out_of_order": found.out_of_order,
        "misaligned": found.misaligned,
        "ohlc": found.ohlc,
        "nonpositive": found.nonpositive,
        "not_numbers": found.not_numbers,
        "jumps": [{"at": _told(event.time_ms), "change": event.value} for event in found.jumps],
        "volume_spikes": [{"at": _told(event.time_ms), "times": event.value} for event in found.spikes],
        "zero_volume": found.zero_volume,
        "zero_volume_runs": len(found.zero_runs),
        "longest_zero_volume_run": max((run.bars for run in found.zero_runs), default=0),
        "behind": found.behind,
    }


def _told(milliseconds: int | None) -> str | None:
    return None if milliseconds is None else _iso(moment(milliseconds))


def _iso(when: datetime) -> str:
    return when.isoformat().replace("+00:00", "Z")


def health_table(found: Sequence[SeriesHealth]) -> Table:
    """Return one line for each series, the worst first, with what was found in it."""
    table = Table(title=f"health of {len(found):,} series")
    for name in ("series", "bars", "verdict", "found"):
        table.add_column(name, justify="right" if name == "bars" else "left", overflow="fold")
    order = ("bad", "look", "good")
    for item in sorted(found, key=lambda one: order.index(one.verdict)):
        told = "\n".join(f"[{_STYLES[issue.verdict]}]{escape(issue.told)}[/]" for issue in item.issues)
        verdict = f"[{_STYLES[item.verdict]}]{WORDS[item.verdict]}[/]"
        name = item.name if item.name.endswith(f" {item.timeframe}") else f"{item.name}\n({item.timeframe})"
        table.add_row(escape(name), f"{item.measures.bars:,}", verdict, told or "nothing")
    return table
