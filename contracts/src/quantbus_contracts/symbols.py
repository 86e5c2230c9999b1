"""Instruments and their spellings.

One frozen `Instrument` knows every name of one market: the bus symbol (``BINANCE:BTCUSDT``), the
ccxt symbol and Freqtrade pair (``BTC/USDT``, ``BTC/USDT:USDT``), and a file-safe Qlib code.

``BTCUSDT`` cannot be split by length, so a bus symbol or a venue's own name is only ever resolved
against a list of known markets (`InstrumentCatalogue`); an unknown or ambiguous name is refused with
the candidates, never guessed.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import get_close_matches
from functools import lru_cache
from typing import Literal

from quantbus_contracts.errors import UnknownInstrument

__all__ = ["Instrument", "InstrumentCatalogue", "MarketType"]

MarketType = Literal["spot", "swap", "future"]
_CODE = re.compile(r"[^\s:/]+")
_PAIR = re.compile(
    r"(?P<base>[^\s:/]+)/(?P<quote>[^\s:/]+?)(?::(?P<settle>[^\s:/-]+)(?:-(?P<expiry>\d{6}))?)?"
)


@dataclass(frozen=True, slots=True, order=True)
class Instrument:
    """One market of one venue.

    Attributes
    ----------
    venue
        Upper-case name of the exchange, ``'BINANCE'``.
    market_type
        ``'spot'``, ``'swap'`` (perpetual) or ``'future'`` (with an expiry).
    base, quote
        Currency codes as ccxt spells them.
    settle
        Currency a derivative is settled in; empty for spot.
    expiry
        Delivery day of a dated future (UTC); None otherwise.
    """

    venue: str
    market_type: MarketType
    base: str
    quote: str
    settle: str = ""
    expiry: date | None = None

    def __post_init__(self) -> None:
        """Refuse combinations that name no market."""
        for part in (self.venue, self.base, self.quote):
            if not _CODE.fullmatch(part):
                raise UnknownInstrument(f"expected a code without blanks, ':' or '/', found {part!r}")
        if (self.market_type == "spot") != (self.settle == ""):
            raise UnknownInstrument(f"expected a settle currency for derivatives only, found {self.settle!r}")
        if (self.market_type == "future") != (self.expiry is not None):
            raise UnknownInstrument(f"expected an expiry for dated futures only, found {self.expiry!r}")

    @classmethod
    def from_pair(cls, venue: str, pair: str) -> "Instrument":
        """Read a Freqtrade pair or ccxt symbol: ``BTC/USDT``, ``BTC/USDT:USDT``, ``BTC/USD:BTC-241227``.

        Raises
        ------
        UnknownInstrument
            If ``pair`` has another form (options among them).
        """
        return _of_pair(venue, pair)

    @property
    def pair(self) -> str:
        """Freqtrade's and ccxt's unified name."""
        name = f"{self.base}/{self.quote}"
        if self.settle:
            name += f":{self.settle}"
        if self.expiry:
            name += f"-{self.expiry:%y%m%d}"
        return name

    @property
    def symbol(self) -> str:
        """The bus symbol: ``BINANCE:BTCUSDT``, ``BINANCE:BTCUSDT.P``, ``BINANCE:BTCUSDT-241227``.

        A derivative that is not settled in its quote currency says so at the end: ``BINANCE:BTCUSD.P:BTC``.
        """
        name = f"{self.venue}:{self._short_name}"
        return name if self.settle in ("", self.quote) else f"{name}:{self.settle}"

    @property
    def _short_name(self) -> str:
        name = f"{self.base}{self.quote}"
        if self.market_type == "swap":
            return f"{name}.P"
        return f"{name}-{self.expiry:%y%m%d}" if self.expiry else name

    @property
    def qlib_code(self) -> str:
        """A name that is safe as a file name and reads back: ``BTC_USDT``, ``BTC_USDT_USDT``."""
        return re.sub(r"[/:-]", "_", self.pair)

    @property
    def aliases(self) -> frozenset[str]:
        """Further names people use; each resolves only where it is unique."""
        return frozenset({f"{self.venue}:{self._short_name}", f"{self.venue}:{self.pair}"})


@lru_cache(maxsize=16_384)  # every signal that is built, from a publisher or from the bus, asks for it
def _of_pair(venue: str, pair: str) -> Instrument:
    match = _PAIR.fullmatch(pair)
    if match is None:
        raise UnknownInstrument(
            f"expected BASE/QUOTE, BASE/QUOTE:SETTLE or BASE/QUOTE:SETTLE-YYMMDD, found {pair!r}",
            field="pair",
            value=pair,
        )
    expiry = match["expiry"]
    return Instrument(
        venue=venue.upper(),
        market_type="spot" if not match["settle"] else "future" if expiry else "swap",
        base=match["base"],
        quote=match["quote"],
        settle=match["settle"] or "",
        expiry=datetime.strptime(expiry, "%y%m%d").replace(tzinfo=UTC).date() if expiry else None,
    )


class InstrumentCatalogue:
    """Markets that are known to exist; resolves names to exactly one of them."""

    def __init__(self, instruments: Iterable[Instrument]) -> None:
        """Index the instruments by every name they answer to."""
        self._all = frozenset(instruments)
        self._exact: dict[str, set[Instrument]] = defaultdict(set)
        self._alias: dict[str, set[Instrument]] = defaultdict(set)
        for instrument in self._all:
            self._exact[instrument.symbol].add(instrument)
            for alias in instrument.aliases:
                self._alias[alias].add(instrument)

    def __len__(self) -> int:
        return len(self._all)

    def __iter__(self) -> Iterator[Instrument]:
        return iter(sorted(self._all, key=lambda instrument: (instrument.symbol, instrument.pair)))

    def __contains__(self, instrument: Instrument) -> bool:
        return instrument in self._all

    def resolve(self, name: str) -> Instrument:
        """Return the one instrument called ``name`` (bus symbol, alias, or ``VENUE:`` + pair).

        Raises
        ------
        UnknownInstrument
            If no market, or more than one, answers to the name; the candidates are listed.
        """
        found = self._exact.get(name) or self._alias.get(name) or set()
        if len(found) == 1:
            return next(iter(found))
        if found:
            candidates = ", ".join(sorted(f"{item.venue}:{item.pair}" for item in found))
            raise UnknownInstrument(
                f"{name!r} is ambiguous: it may be {candidates}; use one of these names",
                field="symbol",
                value=name,
            )
        near = get_close_matches(name, self._exact, n=3)
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        raise UnknownInstrument(
            f"expected one of {len(self)} known markets, found {name!r}{hint}", field="symbol", value=name
        )
