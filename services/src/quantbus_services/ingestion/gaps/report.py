"""What ``quantbus ingest gaps`` says at the end: JSON for scripts, tables for people; pure."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

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
    table = Table(title=f"gaps of {len(found):,} series (bars)", caption_justify="left")
    table.add_column("series", no_wrap=True)
    for state in GapState:
        table.add_column(state.value, justify="right")
    table.add_column("longest", justify="right")
    table.add_column("")
    for item in found:
        if not item.gaps:
            continue
        bars = _bars([item])
        standing = [gap.bars for gap in item.gaps if gap.state is not GapState.REPAIRED]
        table.add_row(
            f"{item.symbol} {item.timeframe}",
            *(f"{bars[state.value]:,}" if bars[state.value] else "" for state in GapState),
            f"{max(standing, default=0):,}",
            escape(item.skipped),
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
    table = Table(title=title)
    for name in ("series", "first missing bar (UTC)", "bars", "state", "asked", "what the venue says"):
        table.add_column(name, justify="right" if name in ("bars", "asked") else "left")
    for gap in standing[:_SHOWN]:
        table.add_row(*_line(gap), style=_STYLES.get(gap.state))
    return table


def _line(gap: Gap) -> tuple[str, ...]:
    return (
        f"{gap.symbol} {gap.timeframe}",
        f"{gap.start:%Y-%m-%d %H:%M}",
        f"{gap.bars:,}",
        gap.state.value,
        str(gap.attempts or ""),
        escape(gap.note or ""),
    )
