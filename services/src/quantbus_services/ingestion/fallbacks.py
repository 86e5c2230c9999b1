"""Which symbol falls back on which market of another venue, as people write it; pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument

__all__ = ["Fallback", "matched", "parse_fallback"]


@dataclass(frozen=True, slots=True)
class Fallback:
    """A market of another venue, and the symbol that it stands in for (empty: the one of the same currencies)."""

    venue: str
    market: str
    """As the bus names it: ``OKX:BTCUSDT``, or with the pair: ``OKX:BTC/USDT``."""
    stands_for: str = ""


def parse_fallback(text: str) -> Fallback:
    """Read ``OKX:BTCUSDT``, or ``BTC/USDT=OKX:BTCUSDT``.

    Raises
    ------
    ConfigError
        If it has neither form.
    """
    stands_for, equals, market = text.strip().rpartition("=")
    venue, colon, name = market.strip().partition(":")
    if not (venue and colon and name) or (equals and not stands_for.strip()):
        raise ConfigError(f"expected a fallback such as OKX:BTCUSDT or BTC/USDT=OKX:BTCUSDT, found {text!r}")
    return Fallback(venue.upper(), f"{venue.upper()}:{name}", stands_for.strip())


def matched(fallback: Fallback, market: Instrument, wanted: Iterable[Instrument]) -> Instrument:
    """Return the wanted instrument that ``market`` stands in for.

    Raises
    ------
    ConfigError
        If there is none, if it trades something else, or if it is the very same market.
    """
    instruments: Sequence[Instrument] = sorted(set(wanted))
    same = [item for item in instruments if _traded(item) == _traded(market)]
    if fallback.stands_for:
        names = {fallback.stands_for}
        same = [
            item
            for item in instruments
            if names & {item.symbol, item.pair, *item.aliases, item.symbol.partition(":")[2]}
        ]
    if len(same) != 1:
        raise ConfigError(
            f"expected one symbol that {fallback.market} stands in for, found "
            f"{', '.join(item.symbol for item in same) or 'none'} among "
            f"{', '.join(item.symbol for item in instruments)}; write it as SYMBOL={fallback.market}"
        )
    if same[0].market_type != market.market_type or same[0].base != market.base:
        raise ConfigError(
            f"expected a fallback that trades the same as {same[0].symbol} ({same[0].market_type} {same[0].base}), "
            f"found {market.symbol} ({market.market_type} {market.base})"
        )
    if same[0] == market:
        raise ConfigError(f"expected another venue to stand in for {market.symbol}, found the same one")
    return same[0]


def _traded(item: Instrument) -> tuple[object, ...]:
    return item.market_type, item.base, item.quote, item.settle, item.expiry
