"""Composition root of the export: the wanted series out of what the bus knows, one file each."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from quantbus_contracts.bar_arrays import BarArrays
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.bar_reader import read_bars
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.symbols import InstrumentCatalogue
from quantbus_services.ingestion.files.bars import OHLCV
from quantbus_services.ingestion.series import Series, requested_series
from quantbus_services.ingestion.transfer.exporter import ExportReport, Form, export_series
from quantbus_services.ingestion.windows import parse_moment

__all__ = ["run_export"]

_TIMEOUT_SECONDS = 30.0
_BEGINNING = datetime(2009, 1, 3, tzinfo=UTC)


def run_export(
    symbols: Sequence[str],
    timeframes: Sequence[str],
    venue: str,
    folder: Path,
    form: Form,
    mongo: MongoSettings,
    *,
    since: str | None,
    until: str | None,
    on_series: Callable[[int, int, ExportReport], None],
) -> list[ExportReport]:
    """Export every wanted series; one that has no bars, or whose file is damaged, says so in its ``error``."""
    connection = connect(mongo, app="export", timeout_seconds=_TIMEOUT_SECONDS)
    try:
        now = connection.server_now()
        start = parse_moment(since, now, "--since") if since else _BEGINNING
        end = parse_moment(until, now, "--until") if until else now
        if start >= end:
            raise ConfigError(
                f"expected --since before --until, found {start.isoformat()} and {end.isoformat()}"
            )
        catalogue = InstrumentCatalogue(InstrumentStore(connection).all(venue.upper()))
        if not len(catalogue):
            raise ConfigError(
                f"the bus knows no markets of {venue.upper()}; import or fetch bars of it first"
            )
        wanted = requested_series(symbols, timeframes, catalogue, venue.upper())
        reports = []
        for number, series in enumerate(wanted, start=1):
            report = export_series(series, lambda item: _columns(connection, item, start, end), folder, form)
            on_series(number, len(wanted), report)
            reports.append(report)
        return reports
    finally:
        connection.close()


def _columns(connection: Connection, series: Series, start: datetime, end: datetime) -> CandleColumns:
    symbol = series.instrument.symbol
    bars: BarArrays = connection.run(read_bars([symbol], series.timeframe, start, end, OHLCV))[symbol]
    return CandleColumns(
        symbol, series.timeframe, "bus", bars.open_times_ms, **{n: bars.columns[n] for n in OHLCV}
    )
