"""The laws of the stores of observations, listings and universes, on a real server."""

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantbus_contracts import MarketContext
from quantbus_contracts.errors import BusError, ConfigError, ContractError
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.listings import AsyncListingStore, ListingStore
from quantbus_contracts.mongo.observation_frames import observation_frame
from quantbus_contracts.mongo.observations import AsyncObservationStore, ObservationStore
from quantbus_contracts.mongo.universes import AsyncUniverseStore, UniverseStore
from quantbus_contracts.schema import (
    OBSERVATIONS,
    DepthLevel,
    DepthSnapshot,
    FundingRate,
    Listing,
    MarketChange,
    MarkPrice,
    Observation,
    OpenInterest,
    Universe,
    UniverseMember,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_candle

pytestmark = pytest.mark.integration

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
FAR = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
PERP = "BINANCE:BTCUSDT.P"


def funding(hour: int, rate: float = 0.0001, symbol: str = PERP) -> FundingRate:
    return FundingRate(symbol=symbol, at=NOON + hour * HOUR, source="test", rate=rate)


def one_of_each(at: datetime) -> list[Observation]:
    who = {"symbol": PERP, "at": at, "source": "test"}
    level = DepthLevel(within="10bps", bid=300.0, ask=100.0, imbalance=0.5)
    return [
        FundingRate(**who, rate=-0.0002),
        MarkPrice(**who, mark=101.0, index=100.0, funding_rate=0.0003, next_funding_at=at + HOUR),
        OpenInterest(**who, amount=5.0),
        DepthSnapshot(**who, bid=99.0, ask=101.0, mid=100.0, spread=2.0, spread_bps=200.0, levels=(level,)),
    ]


class TestObservations:
    def test_every_kind_comes_back_as_it_went_in(self, connection: Connection) -> None:
        store, written = ObservationStore(connection), one_of_each(NOON)
        assert store.write(written).inserted == 4
        assert [store.last(type(item), PERP) for item in written] == written

    def test_writing_twice_equals_writing_once(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        written = [*one_of_each(NOON), *one_of_each(NOON + HOUR)]
        store.write(written)
        before = {name: _documents(connection, name) for name in _collections()}
        assert store.write(written).as_dict() == {
            "inserted": 0,
            "updated": 0,
            "unchanged": 8,
            "rejected": 0,
        }
        assert {name: _documents(connection, name) for name in _collections()} == before

    @settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        hours=st.lists(st.integers(0, 30), min_size=1, max_size=40),
        cuts=st.lists(st.integers(0, 40), max_size=4),
    )
    def test_any_split_order_and_repetition_ends_in_the_same_rows(
        self, connection: Connection, hours: list[int], cuts: list[int]
    ) -> None:
        symbol = f"BINANCE:{uuid.uuid4().hex}.P"
        rows = [funding(hour, hour / 1e5, symbol) for hour in hours]
        store = ObservationStore(connection)
        edges = [0, *sorted(cuts), len(rows)]
        for start, end in pairwise(edges):
            store.write(rows[start:end])
            store.write(rows[:end])
        expected = [funding(hour, hour / 1e5, symbol) for hour in sorted(set(hours))]
        assert store.range(FundingRate, symbol, *FAR) == expected

    def test_a_corrected_value_replaces_the_former(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        store.write([funding(0), funding(1)])
        report = store.write([funding(0), funding(1, 0.0009), funding(2)])
        assert (report.inserted, report.updated, report.unchanged) == (1, 1, 1)
        assert [item.rate for item in store.range(FundingRate, PERP, *FAR)] == [0.0001, 0.0009, 0.0001]

    def test_what_a_later_telling_leaves_out_is_kept(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        full = MarkPrice(symbol=PERP, at=NOON, source="test", mark=101.0, index=100.0, funding_rate=0.0003)
        store.write([full])
        assert store.write([MarkPrice(symbol=PERP, at=NOON, source="test", mark=101.0)]).unchanged == 1
        assert store.last(MarkPrice, PERP) == full

    def test_of_twins_in_one_batch_the_last_counts(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        assert store.write([funding(0, 0.1), funding(0, 0.2)]).inserted == 1
        assert store.range(FundingRate, PERP, *FAR) == [funding(0, 0.2)]

    def test_a_range_includes_its_start_and_excludes_its_end(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        store.write([funding(hour) for hour in range(4)])
        found = store.range(FundingRate, PERP, NOON + HOUR, NOON + 3 * HOUR)
        assert [item.at for item in found] == [NOON + HOUR, NOON + 2 * HOUR]
        just_after = NOON + HOUR + timedelta(milliseconds=1)
        assert store.range(FundingRate, PERP, just_after, NOON + 2 * HOUR) == []

    def test_the_newest_is_found_also_as_of_a_moment(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        assert store.last(FundingRate, PERP) is None
        store.write([funding(0), funding(8)])
        assert store.last(FundingRate, PERP) == funding(8)
        assert store.last(FundingRate, PERP, until=NOON + 8 * HOUR) == funding(8)
        assert store.last(FundingRate, PERP, until=NOON + 7 * HOUR) == funding(0)

    def test_the_database_refuses_what_goes_past_the_models(self, connection: Connection) -> None:
        for collection, bad in (
            ("crypto_funding", {"rate": float("nan")}),
            ("crypto_mark", {"mark": -1.0}),
            ("crypto_open_interest", {}),
            (
                "crypto_depth",
                {"bid": 2.0, "ask": 1.0, "mid": 1.5, "spread": 0.0, "spread_bps": 0.0, "levels": []},
            ),
        ):
            row = {"_id": "x", "symbol": PERP, "datetime": NOON, "source": "s", "ingested_at": NOON, **bad}
            with pytest.raises(Exception, match="failed validation"):
                connection.collection(collection).insert_one(row)

    async def test_the_asynchronous_twin_agrees(
        self, connection: Connection, async_connection: AsyncConnection
    ) -> None:
        written = one_of_each(NOON)
        assert (await AsyncObservationStore(async_connection).write(written)).inserted == 4
        assert ObservationStore(connection).write(written).unchanged == 4
        store = AsyncObservationStore(async_connection)
        assert await store.range(MarkPrice, PERP, *FAR) == [written[1]]
        assert await store.last(OpenInterest, PERP) == written[2]


class TestFrames:
    @pytest.mark.parametrize("kind", OBSERVATIONS.values(), ids=list(OBSERVATIONS))
    def test_an_empty_frame_has_the_types_of_a_full_one(
        self, connection: Connection, kind: type[Observation]
    ) -> None:
        store = ObservationStore(connection)
        empty = observation_frame(store, kind, [PERP], *FAR)
        store.write(one_of_each(NOON))
        full = observation_frame(store, kind, [PERP], *FAR)
        assert (len(empty), len(full)) == (0, 1)
        assert dict(empty.dtypes) == dict(full.dtypes)
        times = [str(frame.index.get_level_values("datetime").dtype) for frame in (empty, full)]
        assert times == ["datetime64[ms, UTC]"] * 2

    def test_values_stand_under_their_names(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        store.write(one_of_each(NOON))
        mark = observation_frame(store, MarkPrice, [PERP], *FAR).iloc[0]
        depth = observation_frame(store, DepthSnapshot, [PERP], *FAR).iloc[0]
        assert (mark["premium"], mark["premium_bps"]) == (1.0, 100.0)
        assert mark["next_funding_at"] == NOON + HOUR
        assert (depth["bid_10bps"], depth["imbalance_10bps"]) == (300.0, 0.5)
        assert depth[["bid_100bps", "ask_top20"]].isna().all()

    def test_several_symbols_are_sorted_and_bounded(self, connection: Connection) -> None:
        store = ObservationStore(connection)
        other = "BINANCE:ETHUSDT.P"
        store.write([funding(hour, symbol=symbol) for symbol in (PERP, other) for hour in (2, 0, 1)])
        frame = observation_frame(store, FundingRate, [other, PERP, other], NOON, NOON + 2 * HOUR)
        assert list(frame.index) == [
            (symbol, NOON + hour * HOUR) for symbol in (PERP, other) for hour in (0, 1)
        ]

    def test_days_are_whole_and_instants_exact(self, connection: Connection) -> None:
        ObservationStore(connection).write([funding(hour) for hour in (-13, -12, 11, 12)])
        context = MarketContext(connection)
        day = context.funding(PERP, "2026-01-05", "2026-01-05")
        assert list(day.index.get_level_values("datetime")) == [NOON - 12 * HOUR, NOON + 11 * HOUR]
        assert len(context.funding([PERP], NOON - 12 * HOUR, NOON + 11 * HOUR)) == 1
        with pytest.raises(ContractError, match="naive"):
            ObservationStore(connection).range(FundingRate, PERP, NOON.replace(tzinfo=None), NOON)
        with pytest.raises(ContractError, match="naive"):
            context.universe("top", NOON.replace(tzinfo=None))

    def test_the_basis_compares_only_bars_of_the_same_instant(self, connection: Connection) -> None:
        closes = {PERP: {0: 101.0, 1: 102.0, 2: 103.0}, "BINANCE:BTCUSDT": {0: 100.0, 2: 100.0, 3: 100.0}}
        CandleWriter(connection).write(
            [
                make_candle(
                    symbol=symbol, open_time=NOON + timedelta(minutes=n), open=c, high=c, low=c, close=c
                )
                for symbol, bars in closes.items()
                for n, c in bars.items()
            ]
        )
        legs, context = (PERP, "BINANCE:BTCUSDT"), MarketContext(connection)
        frame = context.basis(*legs, NOON, NOON + HOUR, "1m")
        assert list(frame.index) == [NOON, NOON + timedelta(minutes=2)]
        assert frame["basis"].tolist() == [1.0, 3.0]
        assert frame["basis_bps"].tolist() == pytest.approx([100.0, 300.0])
        empty = context.basis(*legs, NOON + HOUR, NOON + 2 * HOUR, "1m")
        assert dict(empty.dtypes) == dict(frame.dtypes)


class TestListings:
    BTC = Listing(
        instrument=Instrument.from_pair("binance", "BTC/USDT"),
        status="trading",
        venue_symbol="BTCUSDT",
        tick_size=0.01,
        lot_step=1e-5,
        min_notional=5.0,
        listed_at=datetime(2017, 8, 17, tzinfo=UTC),
    )

    def test_a_listing_comes_back_as_it_went_in(self, connection: Connection) -> None:
        store = ListingStore(connection)
        store.record([self.BTC])
        assert store.all("BINANCE") == [self.BTC]
        assert store.all("OKX") == []

    def test_row_and_change_stand_together_or_not_at_all(self, connection: Connection) -> None:
        store = ListingStore(connection)
        gone = self.BTC.model_copy(update={"status": "delisted", "delisted_at": NOON})
        change = MarketChange(symbol=self.BTC.symbol, at=NOON, field="status", old="trading", new="delisted")
        store.record([gone], [change])
        assert (store.all(), store.changes()) == ([gone], [change])
        impossible = self.BTC.model_copy(update={"tick_size": float("nan")})
        with pytest.raises(BusError):
            store.record([impossible], [change.model_copy(update={"at": NOON + HOUR})])
        assert (store.all(), store.changes()) == ([gone], [change])

    def test_changes_are_found_by_venue_symbol_and_time(self, connection: Connection) -> None:
        store = ListingStore(connection)
        changes = [
            MarketChange(symbol=symbol, at=at, field="tick_size", old="0.1", new="0.01")
            for at in (NOON, NOON + HOUR)
            for symbol in ("BINANCE:ABCUSDT", "OKX:ABCUSDT")
        ]
        store.record([], changes)
        assert store.changes() == changes
        assert store.changes(venue="OKX") == changes[1::2]
        assert store.changes(symbol="BINANCE:ABCUSDT", since=NOON + HOUR) == [changes[2]]

    def test_a_list_of_names_leaves_rules_alone_and_names_without_rules_are_no_listing(
        self, connection: Connection
    ) -> None:
        store, names = ListingStore(connection), InstrumentStore(connection)
        eth = Instrument.from_pair("binance", "ETH/USDT")
        store.record([self.BTC])
        assert names.write([self.BTC.instrument, eth]) == 1
        assert store.all() == [self.BTC]
        assert names.all() == [self.BTC.instrument, eth]

    async def test_the_asynchronous_twin_agrees(
        self, connection: Connection, async_connection: AsyncConnection
    ) -> None:
        store = AsyncListingStore(async_connection)
        await store.record([self.BTC])
        assert await store.all() == ListingStore(connection).all() == [self.BTC]
        assert await store.changes() == []


def universe(day: int, *symbols: str) -> Universe:
    members = tuple(UniverseMember(symbol=symbol, quote_volume=1e6) for symbol in symbols)
    return Universe(name="top", as_of=NOON + timedelta(days=day), method="bars", members=members)


class TestUniverses:
    def test_a_reader_sees_the_newest_list_that_was_known(self, connection: Connection) -> None:
        store = UniverseStore(connection)
        first, second = universe(0, "BINANCE:LUNAUSDT", "BINANCE:BTCUSDT"), universe(7, "BINANCE:BTCUSDT")
        assert store.put(first)
        assert store.put(second)
        assert store.universe("top", NOON - timedelta(milliseconds=1)) is None
        assert store.universe("top", NOON) == first
        assert store.universe("top", second.as_of - timedelta(milliseconds=1)) == first
        assert store.universe("top", second.as_of) == second
        assert store.universe("another", second.as_of) is None
        assert store.all("top") == [first, second]

    def test_a_list_that_stands_is_not_rewritten_silently(self, connection: Connection) -> None:
        store = UniverseStore(connection)
        store.put(universe(0, "BINANCE:BTCUSDT"))
        assert not store.put(universe(0, "BINANCE:BTCUSDT"))
        with pytest.raises(ConfigError, match="--replace"):
            store.put(universe(0, "BINANCE:ETHUSDT"))
        assert store.put(universe(0, "BINANCE:ETHUSDT"), replace=True)
        assert store.universe("top", NOON) == universe(0, "BINANCE:ETHUSDT")

    async def test_the_asynchronous_twin_agrees(self, async_connection: AsyncConnection) -> None:
        store = AsyncUniverseStore(async_connection)
        assert await store.put(universe(0, "BINANCE:BTCUSDT"))
        assert await store.universe("top", NOON) == universe(0, "BINANCE:BTCUSDT")
        assert await store.all() == [universe(0, "BINANCE:BTCUSDT")]


def _collections() -> Sequence[str]:
    return [model.collection for model in OBSERVATIONS.values()]


def _documents(connection: Connection, name: str) -> list[dict[str, object]]:
    return list(connection.collection(name).find({}, sort=[("_id", 1)]))
