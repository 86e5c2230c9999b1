"""Market data besides bars: funding rates, mark prices, open interest, order books."""

from quantbus_services.ingestion.observations.book import reduce_book
from quantbus_services.ingestion.observations.history import Filled, HistoryFiller
from quantbus_services.ingestion.observations.parse import Contract, Parsed
from quantbus_services.ingestion.observations.source import ObservationSource

__all__ = ["Contract", "Filled", "HistoryFiller", "ObservationSource", "Parsed", "reduce_book"]
