"""Which series a file holds: by its name and folder, and by what a person says about it."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path

from quantbus_contracts.errors import ContractError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.series import Series
from quantbus_services.ingestion.transfer.names import InstrumentNames, NamedSeries, read_name, read_symbol

__all__ = ["Identifier", "Overrides"]


@dataclass(frozen=True, slots=True)
class Overrides:
    """What a person says about the files; wins over their names."""

    venue: str = ""
    symbol: str = ""
    timeframe: str = ""


class Identifier:
    """Tells the series of files."""

    def __init__(
        self,
        names: InstrumentNames,
        overrides: Overrides,
        *,
        folder_venues: Collection[str],
        quotes: Collection[str],
    ) -> None:
        """Resolve with ``names``; ``folder_venues`` are folder names that say a venue."""
        self._names = names
        self._overrides = overrides
        self._folder_venues = folder_venues
        self._quotes = quotes

    def __call__(self, path: Path) -> Series:
        """Return the series of the file at ``path``.

        Raises
        ------
        NotCandles
            If the name says that it holds something else.
        UnknownInstrument
            If the symbol fits no market, or several.
        ContractError
            If name and person leave something unsaid.
        """
        named = read_name(path, folder_venues=self._folder_venues, quotes=self._quotes)
        given = read_symbol(self._overrides.symbol) if self._overrides.symbol else NamedSeries()
        if given.code:
            named = replace(named, code=given.code, market=given.market, venue=given.venue or named.venue)
        named = replace(
            named,
            venue=self._overrides.venue.upper() or named.venue,
            timeframe=self._overrides.timeframe or named.timeframe,
        )
        parts = {"--venue": named.venue, "--symbol": named.code, "--timeframe": named.timeframe}
        unsaid = [option for option, part in parts.items() if not part]
        if unsaid:
            said = ", ".join(f"{option.strip('-')} {part!r}" for option, part in parts.items() if part)
            raise ContractError(
                f"expected a name that says venue, symbol and timeframe, found {path.name!r}"
                + (f", which says {said}" if said else "")
                + f"; give {' and '.join(unsaid)}"
            )
        return Series(self._names.resolve(named), Timeframe.parse(named.timeframe))
