"""What people see in a terminal of 80 columns is whole: no number and no symbol is cut."""

from datetime import UTC, datetime, timedelta
from io import StringIO

from rich.console import Console

from quantbus_contracts.schema import CandleReport, Gap, GapState
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.gaps.main import SeriesGaps
from quantbus_services.ingestion.gaps.report import show_gaps
from quantbus_services.ingestion.observations.cli import filled_table
from quantbus_services.ingestion.observations.history import Filled

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SYMBOL = "BINANCE:1000SATSUSDT.P"


def _gap(bars: int, state: GapState) -> Gap:
    end = NOON + timedelta(minutes=bars)
    return Gap(
        symbol=SYMBOL, timeframe="15m", start=NOON, end=end, state=state, first_seen=NOON, source="test"
    )


def test_gaps_are_told_whole() -> None:
    gaps = tuple(_gap(15 * 1_929_600, state) for state in GapState)
    console = Console(width=80, file=StringIO(), record=True)
    show_gaps([SeriesGaps(SYMBOL, Timeframe.parse("15m"), gaps, skipped="not listed")], console)
    told = console.export_text()
    assert "…" not in told
    for part in ("1,929,600", f"{SYMBOL} 15m", "2026-01-05 12:00", *(state.value for state in GapState)):
        assert part in told
    assert "not listed" in " ".join(told.split())


def test_history_is_told_whole() -> None:
    report = CandleReport(inserted=1_234_567, updated=12, unchanged=345_678, rejected=9)
    console = Console(width=80, file=StringIO(), record=True)
    console.print(filled_table([Filled("funding", SYMBOL, report, first=NOON, last=NOON)]))
    told = console.export_text()
    assert "…" not in told
    for part in (SYMBOL, "2026-01-05", "1,234,567", "345,678", "inserted", "updated", "same", "refused"):
        assert part in told
