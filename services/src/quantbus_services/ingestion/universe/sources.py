"""Where turnovers come from: a venue's tickers, and our own stored bars."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any

from quantbus_contracts.errors import ConfigError, UnknownInstrument
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.turnover import TurnoverReader
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.transfer.names import InstrumentNames, read_symbol

__all__ = ["BarTurnovers", "ticker_turnovers"]


def ticker_turnovers(
    tickers: Mapping[str, Mapping[str, Any]], catalogue: InstrumentCatalogue
) -> dict[Instrument, float]:
    """Read the last day's turnover in quote currency; where a venue tells only the base amount, at its mean price."""
    by_pair = {item.pair: item for item in catalogue}
    found: dict[Instrument, float] = {}
    for pair, ticker in tickers.items():
        volume = _number(ticker.get("quoteVolume"))
        if volume is None:
            base = _number(ticker.get("baseVolume"))
            price = _number(ticker.get("vwap")) or _number(ticker.get("last"))
            volume = base * price if base is not None and price is not None else None
        if volume is not None and pair in by_pair:
            found[by_pair[pair]] = volume
    return found


def _number(value: object) -> float | None:
    return None if isinstance(value, bool) or not isinstance(value, int | float) else float(value)


class BarTurnovers:
    """Turnovers from stored bars, as of any time."""

    def __init__(
        self,
        reader: CandleReader,
        turnover: TurnoverReader,
        names: InstrumentNames,
        known: Iterable[Instrument],
    ) -> None:
        """Sum with ``turnover``; ``known`` are the markets of the venue, delisted ones among them."""
        self._reader = reader
        self._turnover = turnover
        self._names = names
        self._known = {item.symbol: item for item in known}

    def at(
        self, as_of: datetime, timeframe: Timeframe, window: timedelta, *, venue: str
    ) -> tuple[dict[Instrument, float], list[str]]:
        """Return turnovers over the ``window`` before ``as_of``, and the symbols that name no known market.

        Only bars count that had closed at ``as_of``. Every symbol with bars in the window takes part, whether its
        market still exists or not.

        Raises
        ------
        ConfigError
            If no bar of the venue is stored at all.
        """
        stored = [
            symbol
            for symbol in sorted(self._reader.last_open_times(timeframe))
            if symbol.startswith(f"{venue}:")
        ]
        if not stored:
            raise ConfigError(
                f"expected stored {timeframe} bars of {venue}, found none; fetch some with `quantbus ingest backfill`"
            )
        end = timeframe.floor(as_of)
        found: dict[Instrument, float] = {}
        unknown: list[str] = []
        for symbol, turnover in self._turnover.turnover(stored, timeframe, end - window, end).items():
            try:
                instrument = self._known.get(symbol) or self._names.resolve(read_symbol(symbol))
            except UnknownInstrument:
                unknown.append(symbol)
                continue
            found[instrument] = turnover.quote_volume
        return found, sorted(unknown)
