"""The markets of the paper exchange: their names, and the steps of their prices and amounts."""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, Self

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument
from quantbus_services.paper_exchange.series import MOST_DECIMALS, Bars, decimals_of

__all__ = ["KINDS", "Kind", "Listing", "instrument_symbol", "parse_pair", "parse_pairs", "split_name"]

Kind = Literal["spot", "swap"]
"""Spot, or a perpetual swap that is settled in its quote currency."""
KINDS: tuple[Kind, ...] = ("spot", "swap")

_PAIR = re.compile(r"(?P<base>[A-Z0-9]{1,20})/(?P<quote>[A-Z0-9]{1,20})")


@dataclass(frozen=True, slots=True)
class Listing:
    """One market.

    Attributes
    ----------
    base, quote
        Currency codes.
    price_decimals, amount_decimals
        Prices are multiples of ``10**-price_decimals``, amounts of ``10**-amount_decimals``.
    kind
        What is traded.
    """

    base: str
    quote: str
    price_decimals: int
    amount_decimals: int
    kind: Kind = "spot"

    @classmethod
    def from_bars(cls, base: str, quote: str, bars: Bars) -> Self:
        """List a market whose steps are the finest that occur in its recorded bars."""
        prices = max(decimals_of(column) for column in (bars.open, bars.high, bars.low, bars.close))
        return cls(base, quote, min(prices, MOST_DECIMALS), decimals_of(bars.volume))

    @property
    def name(self) -> str:
        """What the exchange calls it: ``BTCUSDT``."""
        return self.base + self.quote

    @property
    def pair(self) -> str:
        """What ccxt and Freqtrade call it: ``BTC/USDT``, or ``BTC/USDT:USDT`` for a swap."""
        return f"{self.base}/{self.quote}" + (f":{self.quote}" if self.kind == "swap" else "")

    @property
    def tick(self) -> float:
        """The smallest step of a price."""
        return float(f"1e-{self.price_decimals}")

    @property
    def step(self) -> float:
        """The smallest step of an amount."""
        return float(f"1e-{self.amount_decimals}")


def parse_pair(name: str) -> tuple[str, str]:
    """Read ``BTC/USDT`` as base and quote.

    Raises
    ------
    ConfigError
        If the name has another form.
    """
    match = _PAIR.fullmatch(name)
    if match is None:
        raise ConfigError(f"expected spot pairs such as BTC/USDT,ETH/USDT, found {name!r}")
    return match["base"], match["quote"]


def parse_pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Read ``BTC/USDT,ETH/USDT`` as pairs of base and quote.

    Raises
    ------
    ConfigError
        If a name is no spot pair, or occurs twice.
    """
    pairs: list[tuple[str, str]] = []
    for name in (part.strip() for part in text.split(",") if part.strip()):
        pair = parse_pair(name)
        if pair in pairs:
            raise ConfigError(f"expected each pair once, found {name!r} twice")
        pairs.append(pair)
    if not pairs:
        raise ConfigError(f"expected at least one spot pair such as BTC/USDT, found {text!r}")
    _refuse_equal_names(pairs)
    return tuple(pairs)


def _refuse_equal_names(pairs: Iterable[tuple[str, str]]) -> None:
    seen: dict[str, str] = {}
    for base, quote in pairs:
        other = seen.setdefault(base + quote, f"{base}/{quote}")
        if other != f"{base}/{quote}":
            raise ConfigError(
                f"expected pairs with different exchange names, found {other} and {base}/{quote}"
            )


def split_name(name: str, quotes: Sequence[str]) -> tuple[str, str]:
    """Split ``BTCUSDT`` into base and quote by the declared quote currencies.

    Raises
    ------
    ConfigError
        If no quote currency fits, or more than one; the candidates are listed.
    """
    fits = [(name.removesuffix(quote), quote) for quote in quotes if name.endswith(quote) and name != quote]
    if len(fits) == 1:
        return fits[0]
    if fits:
        candidates = " or ".join(f"{base}/{quote}" for base, quote in fits)
        raise ConfigError(f"{name!r} may be {candidates}; say which with --symbols")
    raise ConfigError(
        f"expected {name!r} to end in one of {', '.join(quotes)}; "
        "name the pair with --symbols, or add its quote currency to QUANTBUS_PAPER_QUOTES"
    )


def instrument_symbol(venue: str, base: str, quote: str) -> str:
    """Return the bus symbol of a spot market: ``BINANCE:BTCUSDT``."""
    return Instrument(venue=venue, market_type="spot", base=base, quote=quote).symbol
