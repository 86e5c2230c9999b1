"""Files of candles onto the bus: each file wholly read and judged before any of it is written."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

import numpy as np

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusError, ContractError
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.ports import InstrumentStore
from quantbus_contracts.schema import CandleReport, Rejection
from quantbus_contracts.symbols import Instrument
from quantbus_services.ingestion.files import SUFFIXES, read_bars, require_known_form
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.transfer.names import NotCandles
from quantbus_services.ingestion.transfer.sift import sift

__all__ = ["ColumnWriter", "FileReport", "Importer", "exit_code", "find_files"]

_SLICE = 10_000
_KEPT_REJECTIONS = 20


class ColumnWriter(Protocol):
    """Writes a series in bulk."""

    def write_columns(self, columns: CandleColumns) -> CandleReport:
        """Insert what is missing, correct what differs, leave the rest untouched."""
        ...


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file."""

    path: Path
    symbol: str = ""
    timeframe: str = ""
    source: str = ""
    rows: int = 0
    report: CandleReport = field(default_factory=CandleReport)
    rejections: tuple[Rejection, ...] = ()
    """The first refused rows."""
    reasons: dict[str, int] = field(default_factory=dict)
    """All refused rows, by reason."""
    seconds: float = 0.0
    error: str = ""
    """Why the file is not on the bus, or not all of it."""
    skipped: str = ""
    """Why a file found in a folder was passed over."""
    bus_lost: bool = False
    """Whether it was the bus that failed, and not the file."""

    @property
    def refused_whole(self) -> bool:
        """Whether the file was read, and not one of its rows may be on the bus."""
        return self.rows > 0 and self.report.rejected == self.rows


def exit_code(reports: Sequence[FileReport]) -> int:
    """Return 0 if every file is on the bus, 2 if none is and the input alone is to blame, else 1."""
    failed = [report for report in reports if report.error]
    if not failed:
        return 1 if any(report.refused_whole for report in reports) else 0
    to_blame = [report for report in failed if not report.bus_lost]
    return 2 if len(to_blame) == len(reports) else 1


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files that the paths name; of a folder all that have a known form, in order."""
    found: dict[Path, None] = {}
    for path in paths:
        if path.is_dir():
            inside = sorted(item for item in path.rglob("*") if item.name.lower().endswith(SUFFIXES))
            found |= dict.fromkeys(inside or [path])
        else:
            found[path] = None
    return list(found)


class Importer:
    """Imports files one by one."""

    def __init__(
        self,
        writer: ColumnWriter,
        instruments: InstrumentStore,
        *,
        identify: Callable[[Path], Series],
        clock: Clock,
        bus_now: Callable[[], datetime],
        on_rows: Callable[[Path, int, int], None] = lambda _path, _done, _total: None,
        drop_last: bool = False,
    ) -> None:
        """Take the stores; ``identify`` tells a file's series, ``bus_now`` decides which bars are closed.

        With ``drop_last`` each file's newest bar is refused.
        """
        self._drop_last = drop_last
        self._writer = writer
        self._instruments = instruments
        self._identify = identify
        self._clock = clock
        self._bus_now = bus_now
        self._on_rows = on_rows
        self._lost_bus = False

    def run(self, paths: Sequence[Path], *, named_by_hand: Sequence[Path] = ()) -> Iterator[FileReport]:
        """Import the files, yielding a report of each; a bad file does not stop the others, a lost bus does.

        A file out of ``named_by_hand`` that holds no candles is a failure, any other is skipped.
        """
        for position, path in enumerate(paths):
            started = self._clock.now()
            report = self._import(path)
            if report.skipped and path in named_by_hand:
                report = replace(report, skipped="", error=report.skipped)
            seconds = (self._clock.now() - started).total_seconds()
            yield replace(report, seconds=seconds)
            if self._lost_bus:
                yield from (
                    FileReport(left, error="not tried: the bus is lost", bus_lost=True)
                    for left in paths[position + 1 :]
                )
                return

    def _import(self, path: Path) -> FileReport:
        report = FileReport(path)
        try:
            require_known_form(path)
            series = self._identify(path)
            symbol = series.instrument.symbol
            report = replace(report, symbol=symbol, timeframe=series.timeframe.name)
            bars = read_bars(path)
            if self._drop_last:
                bars = bars.without_newest()
            sifted = sift(bars, symbol, series.timeframe, self._bus_now())
        except NotCandles as error:
            return replace(report, skipped=str(error))
        except ContractError as error:
            return replace(report, error=str(error))
        except BusError as error:
            return self._lost(report, error)
        report = replace(
            report,
            source=bars.source,
            rows=len(bars) + len(bars.rejections),
            report=CandleReport(unchanged=sifted.twins, rejected=len(sifted.rejections)),
            rejections=sifted.rejections[:_KEPT_REJECTIONS],
            reasons=sifted.reasons,
        )
        return self._write(report, series.instrument, sifted.columns)

    def _write(self, report: FileReport, instrument: Instrument, columns: CandleColumns) -> FileReport:
        total = len(columns)
        try:
            if total:
                self._instruments.write([instrument])
            for start in range(0, total, _SLICE):
                self._on_rows(report.path, start, total)
                part = columns.select(np.arange(start, min(start + _SLICE, total)))
                report = replace(report, report=report.report + self._writer.write_columns(part))
        except BusError as error:
            return self._lost(report, error)
        self._on_rows(report.path, total, total)
        return report

    def _lost(self, report: FileReport, error: BusError) -> FileReport:
        self._lost_bus = True
        stored = report.report.inserted + report.report.updated
        return replace(
            report,
            bus_lost=True,
            error=f"{error}; {stored:,} bars of this file were stored before that. "
            "Running the same command again is safe and does the rest",
        )
