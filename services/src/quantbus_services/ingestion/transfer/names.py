"""What a file's name and folder say about its candles; pure.

Known spellings: ``BINANCE_BTCUSDT_1m_PERP__2025`` (venue, name, timeframe), Freqtrade's ``BTC_USDT-1m`` and
``BTC_USDT_USDT-1h-futures``, Binance's ``BTCUSDT-1m-2025-01-01``, Kraken's ``XBTUSD_60`` (minutes),
CryptoDataDownload's ``Binance_SOLUSDT_d``, and plain ``BTCUSDT_1d`` or ``BTC-USDT_1d``.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import PurePath
from typing import Literal

from quantbus_contracts.errors import ContractError, UnknownInstrument
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe

__all__ = ["InstrumentNames", "NamedSeries", "NotCandles", "read_name", "read_symbol"]

Market = Literal["spot", "swap"]
_SUFFIXES = (".gz", ".zip", ".csv", ".parquet", ".feather", ".json")
_FREQTRADE = re.compile(
    r"(?P<base>[^_]+)_(?P<quote>[^_-]+)(?:_(?P<settle>[^_-]+(?:-\d{6})?))?-(?P<tf>\d+[A-Za-z]+)(?:-(?P<kind>\w+))?"
)
_BINANCE = re.compile(r"(?P<code>[^_-]+)-(?P<tf>\d+[A-Za-z]+)-\d{4}-\d{2}(?:-\d{2})?")
_VENUE_FIRST = re.compile(
    r"(?P<venue>[A-Za-z0-9]+)_(?P<code>[^_a-z]+)(?:_\d{4})?_(?P<tf>\d*[A-Za-z]+)(?P<perp>_PERP)?(?P<mark>_MARK)?(?:__.+)?"
)
_FUTURES_DATA = re.compile(r"(?P<code>[^_]+)_(?P<venue>[A-Za-z]+)_futures_data_(?P<tf>[a-z]+)")
_MINUTES = re.compile(r"(?P<code>[A-Za-z0-9.]+)_(?P<minutes>\d+)")
_PLAIN = re.compile(r"(?P<code>[A-Za-z0-9]+(?:-[A-Za-z0-9]+)?)[_-](?P<tf>\d+[A-Za-z]+)")
_TIMEFRAME_WORDS = {
    **{"d": "1d", "day": "1d", "daily": "1d"},
    **{"h": "1h", "hour": "1h", "1hr": "1h", "1hour": "1h"},
    **{"minute": "1m", "1min": "1m", "1minute": "1m", "5min": "5m", "15min": "15m", "30min": "30m"},
}
_KRAKEN_CURRENCIES = {"XBT": "BTC", "XDG": "DOGE"}
_FOLDERS_LOOKED_AT = 3


class NotCandles(ContractError):
    """The name says that the file holds something else than the market's candles."""


@dataclass(frozen=True, slots=True)
class NamedSeries:
    """What a name says; a part that it does not say is empty."""

    code: str = ""
    """A pair (``BTC/USDT``), or both currencies run together (``BTCUSDT``)."""
    market: Market = "spot"
    venue: str = ""
    """Upper case."""
    timeframe: str = ""


def read_name(path: PurePath, *, folder_venues: Collection[str], quotes: Collection[str]) -> NamedSeries:
    """Read the name of a file of candles.

    Raises
    ------
    NotCandles
        If the name says mark prices, funding rates or trades.
    """
    stem = path.name
    while stem.lower().endswith(_SUFFIXES):
        stem = stem[: stem.rindex(".")]
    if stem.endswith("-trades"):
        raise NotCandles(f"expected candles, found trades by the name {stem!r}")
    folders = [parent.name.lower() for parent in path.parents[:_FOLDERS_LOOKED_AT]]
    venue = next((name.upper() for name in folders if name in folder_venues), "")
    for read in (_freqtrade, _binance, _futures_data, _venue_first, _minutes, _plain):
        named = read(stem, folders, quotes)
        if named is not None:
            return replace(named, venue=named.venue or venue)
    return NamedSeries(venue=venue)


def _freqtrade(stem: str, _folders: list[str], _quotes: Collection[str]) -> NamedSeries | None:
    match = _FREQTRADE.fullmatch(stem)
    if match is None:
        return None
    if match["kind"] not in (None, "futures"):
        raise NotCandles(f"expected candles, found {match['kind']!r} by the name {stem!r}")
    pair = f"{match['base']}/{match['quote']}" + (f":{match['settle']}" if match["settle"] else "")
    return NamedSeries(pair, "swap" if match["settle"] else "spot", "", match["tf"])


def _binance(stem: str, folders: list[str], _quotes: Collection[str]) -> NamedSeries | None:
    match = _BINANCE.fullmatch(stem)
    if match is None:
        return None
    derivative = any(name in ("futures", "um", "cm") for name in folders)
    return NamedSeries(match["code"], "swap" if derivative else "spot", "BINANCE", match["tf"])


def _futures_data(stem: str, _folders: list[str], _quotes: Collection[str]) -> NamedSeries | None:
    match = _FUTURES_DATA.fullmatch(stem)
    if match is None:
        return None
    return NamedSeries(match["code"], "swap", match["venue"].upper(), _timeframe(match["tf"]))


def _venue_first(stem: str, _folders: list[str], quotes: Collection[str]) -> NamedSeries | None:
    match = _VENUE_FIRST.fullmatch(stem)
    if match is None:
        return None
    if match["mark"]:
        raise NotCandles(f"expected candles of the market, found mark prices by the name {stem!r}")
    timeframe = _timeframe(match["tf"])
    if match["code"] in quotes:  # BTC_USDT_1m: a pair, and no venue
        return NamedSeries(f"{match['venue']}/{match['code']}", "spot", "", timeframe)
    return NamedSeries(match["code"], "swap" if match["perp"] else "spot", match["venue"].upper(), timeframe)


def _minutes(stem: str, _folders: list[str], _quotes: Collection[str]) -> NamedSeries | None:
    match = _MINUTES.fullmatch(stem)
    if match is None:
        return None
    seconds = int(match["minutes"]) * 60
    frames = (name for name in SUPPORTED_TIMEFRAMES if Timeframe.parse(name).seconds == seconds)
    return NamedSeries(match["code"], "spot", "", next(frames, match["minutes"]))


def _plain(stem: str, _folders: list[str], _quotes: Collection[str]) -> NamedSeries | None:
    match = _PLAIN.fullmatch(stem)
    if match is None:
        return None
    return NamedSeries(match["code"].replace("-", "/"), "spot", "", match["tf"])


def _timeframe(word: str) -> str:
    return _TIMEFRAME_WORDS.get(word.lower(), word)


def read_symbol(text: str) -> NamedSeries:
    """Read a symbol that a person gave: ``BTC/USDT:USDT``, ``BINANCE:BTCUSDT.P``, ``BTCUSDT``."""
    venue, colon, rest = text.partition(":")
    if not colon or "/" in venue:
        venue, rest = "", text
    if "/" in rest:
        return NamedSeries(rest, "swap" if ":" in rest else "spot", venue.upper())
    return NamedSeries(rest.removesuffix(".P"), "swap" if rest.endswith(".P") else "spot", venue.upper())


class InstrumentNames:
    """Turns names into instruments: by the known markets, else by the currencies that prices are quoted in."""

    def __init__(
        self,
        known: Iterable[Instrument],
        quotes: Sequence[str],
        venue_quotes: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Index the known markets; ``quotes`` hold for venues that ``venue_quotes`` does not name."""
        self._quotes = tuple(quotes)
        self._venue_quotes = dict(venue_quotes or {})
        self._known: dict[str, list[Instrument]] = defaultdict(list)
        for instrument in known:
            self._known[instrument.symbol].append(instrument)

    def resolve(self, named: NamedSeries) -> Instrument:
        """Return the one instrument that the name can mean; its venue and code must be given.

        Raises
        ------
        UnknownInstrument
            If none fits, or several do; with the candidates.
        """
        if "/" in named.code:
            return Instrument.from_pair(named.venue, named.code)
        symbol = f"{named.venue}:{named.code}" + (".P" if named.market == "swap" else "")
        candidates = self._known.get(symbol) or self._split(named)
        if len(candidates) == 1:
            return candidates[0]
        if candidates:
            pairs = ", ".join(sorted(item.pair for item in candidates))
            raise UnknownInstrument(
                f"{symbol!r} is ambiguous: it may be {pairs}; say which with --symbol",
                field="symbol",
                value=symbol,
            )
        near = get_close_matches(symbol, self._known, n=3)
        hint = f" (did you mean {', '.join(near)}?)" if near else ""
        raise UnknownInstrument(
            f"{symbol!r} is no known market and ends in none of "
            f"{', '.join(self._quotes_of(named.venue))}{hint}; "
            "give the pair with --symbol BASE/QUOTE",
            field="symbol",
            value=symbol,
        )

    def _split(self, named: NamedSeries) -> list[Instrument]:
        found = []
        spelled = _KRAKEN_CURRENCIES if named.venue == "KRAKEN" else {}
        for ending in self._quotes_of(named.venue):
            beginning = named.code.removesuffix(ending)
            if beginning and beginning != named.code:
                base, quote = spelled.get(beginning, beginning), spelled.get(ending, ending)
                settle = quote if named.market == "swap" else ""
                found.append(Instrument(named.venue, named.market, base, quote, settle))
        return found

    def _quotes_of(self, venue: str) -> tuple[str, ...]:
        return tuple(self._venue_quotes.get(venue, self._quotes))
