"""Composition root of the import: needs neither an event loop nor an exchange."""

from collections.abc import Callable, Sequence
from pathlib import Path

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.identify import Identifier, Overrides
from quantbus_services.ingestion.transfer.importer import FileReport, Importer
from quantbus_services.ingestion.transfer.names import InstrumentNames

__all__ = ["run_import"]

_TIMEOUT_SECONDS = 10.0  # of one batch of 10,000 bars; a quarter of a second is usual


def run_import(
    files: Sequence[Path],
    overrides: Overrides,
    settings: IngestionSettings,
    mongo: MongoSettings,
    *,
    by_hand: Sequence[Path],
    on_rows: Callable[[Path, int, int], None],
    drop_last: bool = False,
) -> list[FileReport]:
    """Import the files; a file that cannot be imported says so in its ``error``."""
    connection = connect(mongo, app="ingestion", timeout_seconds=_TIMEOUT_SECONDS)
    try:
        instruments = InstrumentStore(connection)
        names = InstrumentNames(instruments.all(), settings.quotes, settings.venue_quotes)
        importer = Importer(
            CandleWriter(connection),
            instruments,
            identify=Identifier(
                names, overrides, folder_venues=settings.folder_venues, quotes=settings.quotes
            ),
            clock=SystemClock(),
            bus_now=connection.server_now,
            on_rows=on_rows,
            drop_last=drop_last,
        )
        return list(importer.run(files, named_by_hand=by_hand))
    finally:
        connection.close()
