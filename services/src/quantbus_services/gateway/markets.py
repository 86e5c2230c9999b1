"""Which market a symbol means: one that the strategy declared, else one of the venue's own list."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.schema import Declaration, Strategy
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue

__all__ = ["Markets"]

_KEPT_SECONDS = 30.0
_MOST_VENUES = 50


class _Declarations(Protocol):
    async def get(self, strategy_id: str) -> Declaration | None: ...


class _Lists(Protocol):
    async def all(self, venue: str | None = None) -> list[Instrument]: ...


@dataclass(frozen=True, slots=True)
class _Kept:
    catalogue: InstrumentCatalogue
    read_at: float


class Markets:
    """Resolves symbols; a list is kept for half a minute."""

    def __init__(self, strategies: _Declarations, lists: _Lists, seconds: Callable[[], float]) -> None:
        """Ask ``strategies`` and ``lists``; ``seconds`` is the monotonic clock."""
        self._strategies = strategies
        self._lists = lists
        self._seconds = seconds
        self._kept: dict[str, _Kept] = {}

    async def resolve(self, strategy_id: str, symbol: str) -> Instrument:
        """Return the market that ``symbol`` means for this strategy.

        Raises
        ------
        UnknownInstrument
            If it means none, or more than one.
        """
        found = await self._strategies.get(strategy_id)
        declared = _declared(found.strategy) if found else InstrumentCatalogue(())
        venue, colon, _ = symbol.partition(":")
        if not colon:
            raise UnknownInstrument(
                f"expected EXCHANGE:SYMBOL, found {symbol!r}", field="symbol", value=symbol
            )
        if len(declared):
            return declared.resolve(symbol)
        catalogue = await self._of_venue(venue)
        if not len(catalogue):
            raise UnknownInstrument(
                f"no market of {venue!r} is known here, and the strategy declared none: give the alert a pair",
                field="symbol",
                value=symbol,
            )
        return catalogue.resolve(symbol)

    async def _of_venue(self, venue: str) -> InstrumentCatalogue:
        kept = self._kept.get(venue)
        if kept is not None and self._seconds() - kept.read_at < _KEPT_SECONDS:
            return kept.catalogue
        catalogue = InstrumentCatalogue(await self._lists.all(venue))
        if len(catalogue) and (venue in self._kept or len(self._kept) < _MOST_VENUES):
            self._kept[venue] = _Kept(catalogue, self._seconds())
        return catalogue


def _declared(strategy: Strategy) -> InstrumentCatalogue:
    return InstrumentCatalogue(Instrument.from_pair(strategy.venue, pair) for pair in strategy.pairs)
