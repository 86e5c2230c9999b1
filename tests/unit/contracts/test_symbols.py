"""Names of instruments: both directions, over every recorded market, and never a guess."""

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from tests.fixtures.recorded_markets import recorded_instruments

codes = st.from_regex(r"[A-Z0-9]{1,12}", fullmatch=True)


@st.composite
def instruments(draw: st.DrawFn) -> Instrument:
    pair = f"{draw(codes)}/{draw(codes)}"
    kind = draw(st.sampled_from(["spot", "linear", "inverse", "dated"]))
    if kind != "spot":
        pair += f":{pair.split('/')[0 if kind == 'inverse' else 1]}"
    if kind == "dated":
        pair += f"-{draw(st.dates(min_value=date(2001, 1, 1), max_value=date(2068, 1, 1))):%y%m%d}"
    return Instrument.from_pair("BINANCE", pair)


@given(instruments())
def test_a_pair_reads_back(instrument: Instrument) -> None:
    assert Instrument.from_pair(instrument.venue, instrument.pair) == instrument


@given(st.sets(instruments(), min_size=1, max_size=20))
def test_a_symbol_resolves_to_its_instrument_or_is_refused(known: set[Instrument]) -> None:
    catalogue = InstrumentCatalogue(known)
    for instrument in known:
        twins = [other for other in known if other.symbol == instrument.symbol]
        if len(twins) == 1:
            assert catalogue.resolve(instrument.symbol) == instrument
        else:
            with pytest.raises(UnknownInstrument, match="ambiguous"):
                catalogue.resolve(instrument.symbol)
        assert catalogue.resolve(f"{instrument.venue}:{instrument.pair}") == instrument


def test_every_recorded_market_of_every_venue_round_trips(shared_data: Path) -> None:
    lists = recorded_instruments(shared_data)
    assert len(lists) >= 18
    ambiguous: dict[str, set[str]] = {}
    for name, known in lists.items():
        assert known, f"nothing was read from {name}"
        catalogue = InstrumentCatalogue(known)
        for instrument in known:
            assert Instrument.from_pair(instrument.venue, instrument.pair) == instrument
            assert catalogue.resolve(f"{instrument.venue}:{instrument.pair}") == instrument
            try:
                assert catalogue.resolve(instrument.symbol) == instrument
            except UnknownInstrument:
                ambiguous.setdefault(name, set()).add(instrument.symbol)
        assert len({item.qlib_code for item in known}) == len(known)
    assert sum(map(len, lists.values())) > 5_000
    assert ambiguous == {}


@pytest.mark.parametrize(
    ("pair", "symbol"),
    [
        ("BTC/USDT", "BINANCE:BTCUSDT"),
        ("BTC/USDT:USDT", "BINANCE:BTCUSDT.P"),
        ("BTC/USD:BTC", "BINANCE:BTCUSD.P:BTC"),
        ("BTC/USDT:USDT-261225", "BINANCE:BTCUSDT-261225"),
        ("BTC/USD:BTC-261225", "BINANCE:BTCUSD-261225:BTC"),
        ("1000PEPE/USDT:USDT", "BINANCE:1000PEPEUSDT.P"),
        ("USDT/TRY", "BINANCE:USDTTRY"),
    ],
)
def test_symbols_are_spelt_as_documented(pair: str, symbol: str) -> None:
    assert Instrument.from_pair("binance", pair).symbol == symbol


def test_an_alias_resolves_where_it_is_unique() -> None:
    inverse = Instrument.from_pair("BINANCE", "BTC/USD:BTC")
    linear = Instrument.from_pair("BINANCE", "BTC/USD:USD")
    assert InstrumentCatalogue([inverse]).resolve("BINANCE:BTCUSD.P") == inverse
    assert InstrumentCatalogue([inverse, linear]).resolve("BINANCE:BTCUSD.P") == linear


def test_an_ambiguous_name_is_refused_with_its_candidates() -> None:
    catalogue = InstrumentCatalogue(
        [Instrument.from_pair("BINANCE", "ABC/DEF"), Instrument.from_pair("BINANCE", "AB/CDEF")]
    )
    with pytest.raises(UnknownInstrument, match=r"ambiguous.*BINANCE:AB/CDEF, BINANCE:ABC/DEF"):
        catalogue.resolve("BINANCE:ABCDEF")


def test_an_unknown_name_is_refused_with_near_ones() -> None:
    catalogue = InstrumentCatalogue([Instrument.from_pair("BINANCE", "BTC/USDT")])
    with pytest.raises(UnknownInstrument, match=r"found 'BINANCE:BTCUSD'; did you mean BINANCE:BTCUSDT\?"):
        catalogue.resolve("BINANCE:BTCUSD")


@pytest.mark.parametrize(
    "pair",
    [
        "",
        "BTCUSDT",
        "BTC/",
        "/USDT",
        "BTC/USDT/X",
        "BTC/USDT:USDT-2612",
        "B TC/USDT",
        "BTC/USD:BTC-220514-22000-C",
    ],
)
def test_what_is_no_pair_is_refused(pair: str) -> None:
    with pytest.raises(UnknownInstrument, match="expected BASE/QUOTE"):
        Instrument.from_pair("BINANCE", pair)
