"""What is ingested: an instrument in a timeframe."""

from collections.abc import Sequence
from dataclasses import dataclass

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Series", "comma_list", "is_derivative_name", "optional_list", "requested_series"]


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """The bars of one instrument in one timeframe."""

    instrument: Instrument
    timeframe: Timeframe

    def __str__(self) -> str:
        return f"{self.instrument.symbol} {self.timeframe}"


def comma_list(text: str, what: str) -> list[str]:
    """Split ``a,b , c`` into its distinct parts, in order.

    Raises
    ------
    ConfigError
        If there are none.
    """
    parts = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not parts:
        raise ConfigError(f"expected a comma-separated list of {what}, found {text!r}")
    return parts


def optional_list(text: str | None, what: str) -> list[str]:
    """Split a list as `comma_list` does; nothing given gives none."""
    return comma_list(text, what) if text is not None else []


def requested_series(
    symbols: Sequence[str], timeframes: Sequence[str], catalogue: InstrumentCatalogue, venue: str
) -> list[Series]:
    """Resolve every requested name (pair or bus symbol) against the venue's markets.

    Raises
    ------
    UnknownInstrument
        If the venue lists no such market, or the name fits several; with the nearest names.
    """
    frames = [Timeframe.parse(name) for name in timeframes]
    found = [
        catalogue.resolve(name if name.startswith(f"{venue}:") else f"{venue}:{name}") for name in symbols
    ]
    return [Series(instrument, timeframe) for instrument in dict.fromkeys(found) for timeframe in frames]


def is_derivative_name(name: str) -> bool:
    """Tell whether a pair or bus symbol may name something else than a spot market."""
    if "/" in name:
        return ":" in name.rpartition("/")[2]
    return ".P" in name or "-" in name
