"""Dated lists of symbols by turnover: what was worth looking at, known only from what was known then."""

from quantbus_services.ingestion.universe.names_file import read_members
from quantbus_services.ingestion.universe.rank import Choice, rank
from quantbus_services.ingestion.universe.sources import BarTurnovers, ticker_turnovers

__all__ = ["BarTurnovers", "Choice", "rank", "read_members", "ticker_turnovers"]
