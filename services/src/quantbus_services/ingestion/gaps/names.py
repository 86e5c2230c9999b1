"""Which of the stored series people mean; pure."""

from collections.abc import Iterable, Sequence

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe

__all__ = ["named_series"]


def named_series(
    names: Sequence[str],
    stored: Iterable[tuple[str, Timeframe]],
    instruments: Iterable[Instrument],
    venue: str,
) -> list[tuple[str, Timeframe]]:
    """Return the stored series of every name (bus symbol, or pair of ``venue``); all of them without a name.

    Raises
    ------
    ConfigError
        If nothing is stored, or nothing of a named one.
    UnknownInstrument
        If a name is no stored symbol and no known market, or several.
    """
    series = sorted(stored)
    if not series:
        raise ConfigError(
            "expected bars on the bus, found none; `quantbus ingest import` or `backfill` brings some"
        )
    if not names:
        return series
    catalogue = InstrumentCatalogue(instruments)
    known = {symbol for symbol, _ in series}
    wanted: dict[tuple[str, Timeframe], None] = {}
    for name in names:
        full = name if ":" in name.partition("/")[0] else f"{venue}:{name}"
        symbol = full if full in known else catalogue.resolve(full).symbol
        of_symbol = [item for item in series if item[0] == symbol]
        if not of_symbol:
            raise ConfigError(f"expected bars of {symbol} on the bus, found none; check symbol and timeframe")
        wanted |= dict.fromkeys(of_symbol)
    return list(wanted)
