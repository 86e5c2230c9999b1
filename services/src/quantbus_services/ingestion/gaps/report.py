"""What ``quantbus ingest gaps`` says at the end: JSON for scripts, tables for people; pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.schema import Gap, GapState
from quantbus_services.ingestion.gaps.main import SeriesGaps

__all__ = ["gaps_json", "gaps_table", "series_table", "show_gaps"]

_SHOWN = 30
_STYLES = {GapState.OPEN: "red", GapState.RETRYING: "yellow", GapState.UNREACHABLE: "red"}


def gaps_json(found: Sequence[SeriesGaps]) -> dict[str, Any]:
    """Return every gap, and how many bars are missing in each state."""
    return {
        "missing_bars": _bars(found),
        "broken": sum(len(item.broken) for item in found),
        "series": [
            {
                "symbol": item.symbol,
                "timeframe": item.timeframe.name,
                "skipped": item.skipped or None,
                "gaps": [gap.model_dump(mode="json") | {"bars": gap.bars} for gap in item.gaps],
            }
            for item in found
        ],
    }


def _bars(found: Sequence[SeriesGaps]) -> dict[str, int]:
    bars = Counter({state.value: 0 for state in GapState})
    for item in found:
        for gap in item.gaps:
            bars[gap.state.value] += gap.bars
    return dict(bars)


def show_gaps(found: Sequence[SeriesGaps], console: Console) -> None:
    """Print the series that have or had gaps, and the gaps that stand."""
    if not any(item.gaps for item in found):
        console.print(f"{len(found):,} series, no bar is missing between stored ones")
        return
    console.print(series_table(found))
    if longest := gaps_table(found):
        console.print(longest)


def series_table(found: Sequence[SeriesGaps]) -> Table:
    """Return one line for each series that has or had gaps: bars by what became of them."""
    table = Table(title=f"gaps of {len(found):,} series", caption_justify="left", box=SIMPLE_HEAD)
    table.add_column("series", no_wrap=True)
    table.add_column("longest", justify="right", no_wrap=True)
    table.add_column("missing bars, by what became of them")
    for item in found:
        if not item.gaps:
            continue
        told = ", ".join(f"{bars:,} {state}" for state, bars in _bars([item]).items() if bars)
        standing = [gap.bars for gap in item.gaps if gap.state is not GapState.REPAIRED]
        table.add_row(
            f"{item.symbol} {item.timeframe}",
            f"{max(standing, default=0):,}",
            "; ".join(part for part in (told, escape(item.skipped)) if part),
            style="red" if item.broken else None,
        )
    whole = sum(not item.gaps for item in found)
    if whole:
        table.caption = f"{whole:,} more without any"
    return table


def gaps_table(found: Sequence[SeriesGaps]) -> Table | None:
    """Return the gaps that stand, the longest first; None if there are none."""
    standing = sorted(
        (gap for item in found for gap in item.gaps if gap.state is not GapState.REPAIRED),
        key=lambda gap: (-gap.bars, gap.key),
    )
    if not standing:
        return None
    title = f"the {_SHOWN} longest of {len(standing):,}" if len(standing) > _SHOWN else "missing"
    table = Table(title=title, box=SIMPLE_HEAD)
    table.add_column("series", no_wrap=True)
    table.add_column("first (UTC)", no_wrap=True)
    table.add_column("bars", justify="right", no_wrap=True)
    table.add_column("state")
    for gap in standing[:_SHOWN]:
        table.add_row(*_line(gap), style=_STYLES.get(gap.state))
    return table


def _line(gap: Gap) -> tuple[str, ...]:
    asked = f", asked {gap.attempts} times" if gap.attempts > 1 else ", asked once" if gap.attempts else ""
    note = f": {escape(gap.note)}" if gap.note else ""
    return (
        f"{gap.symbol} {gap.timeframe}",
        f"{gap.start:%Y-%m-%d %H:%M}",
        f"{gap.bars:,}",
        f"{gap.state.value}{asked}{note}",
    )
