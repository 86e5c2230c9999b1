"""Funding, marks, open interest, books, market lists and universes: real ccxt, the paper exchange, a real MongoDB."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from quantbus_contracts.errors import ConfigError, VenueUnavailable
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.instruments import InstrumentStore
from quantbus_contracts.mongo.listings import ListingStore
from quantbus_contracts.mongo.observations import ObservationStore
from quantbus_contracts.mongo.universes import UniverseStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import DepthSnapshot, FundingRate, MarkPrice, OpenInterest
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_candle
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.listings.main import known_markets, link_rename, refresh_markets
from quantbus_services.ingestion.observations.main import (
    fill_history,
    import_files,
    look_at_books,
    run_observe,
)
from quantbus_services.ingestion.observations.settings import ObservationSettings
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.universe import Choice
from quantbus_services.ingestion.universe.main import (
    Dates,
    build_from_bars,
    build_from_file,
    build_from_tickers,
    universe_at,
)
from tests.integration.ingestion.running import await_true, ingest, start, start_paper
from tests.integration.ingestion.scripted import Answer, Scripted, json_answer, scripted_exchange

pytestmark = pytest.mark.integration

SWAP, SPOT = "BINANCE:BTCUSDT.P", "BINANCE:BTCUSDT"
FAR = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
HOUR = Timeframe.parse("1h")
DAY = Timeframe.parse("1d")


@pytest.fixture(scope="module")
def paper(mongo_server: object, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """One paper exchange for the whole file; three pairs, spot and perpetual, made up."""
    del mongo_server
    folder = tmp_path_factory.mktemp("paper")
    settings = MongoSettings.model_construct(
        home=folder,
        mongo_uri=SecretStr("mongodb://127.0.0.1:1"),
        market_db="a",
        signals_db="b",
        trading_db="c",
    )
    running, url = start_paper(
        settings, folder, "--symbols", "BTC/USDT,ETH/USDT,SOL/USDT", "--history", "20d"
    )
    yield url
    running.kill()


def at(url: str) -> IngestionSettings:
    return IngestionSettings(venue_url=url, retry_attempts=3)


def fill(kind: str, since: str, url: str, mongo: MongoSettings) -> tuple[int, int, str]:
    (filled,) = asyncio.run(
        fill_history(kind, ["BTC/USDT:USDT"], since, None, HOUR, at(url), mongo, on_progress=lambda *_: None)
    )
    assert not filled.rejections
    return filled.report.inserted, filled.report.updated, filled.error


class TestHistory:
    def test_funding_is_filled_once_and_every_settlement_stands(
        self, paper: str, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        inserted, _, error = fill("funding", "10d", paper, mongo_settings)
        rates = ObservationStore(connection).range(FundingRate, SWAP, *FAR)
        assert (error, inserted) == ("", len(rates))
        assert 30 <= len(rates) <= 31
        steps = {later.at - earlier.at for earlier, later in pairwise(rates)}
        assert steps == {timedelta(hours=8)}
        assert rates[0].source == "paper:SYNTHETIC"
        assert fill("funding", "10d", paper, mongo_settings) == (0, 0, "")

    def test_marks_stand_at_every_close_with_the_index_of_the_same_instant(
        self, paper: str, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        inserted, _, error = fill("mark", "3d", paper, mongo_settings)
        marks = ObservationStore(connection).range(MarkPrice, SWAP, *FAR)
        assert (error, inserted) == ("", len(marks))
        assert [item.at for item in marks] == list(HOUR.range(marks[0].at, marks[0].at + 72 * HOUR.delta))
        assert all(item.index is not None for item in marks)
        assert fill("mark", "3d", paper, mongo_settings)[:2] == (0, 0)

    def test_open_interest_is_filled(
        self, paper: str, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        inserted, _, error = fill("open-interest", "3d", paper, mongo_settings)
        found = ObservationStore(connection).range(OpenInterest, SWAP, *FAR)
        assert (error, inserted) == ("", len(found))
        assert len(found) >= 71
        assert all(item.amount and item.value for item in found)

    def test_spot_has_no_funding(self, paper: str, mongo_settings: MongoSettings) -> None:
        asked = fill_history(
            "funding", ["BTC/USDT"], "1d", None, HOUR, at(paper), mongo_settings, on_progress=lambda *_: None
        )
        with pytest.raises(ConfigError, match="BTC/USDT:USDT"):
            asyncio.run(asked)


def test_books_are_reduced_and_stored(
    paper: str, mongo_settings: MongoSettings, connection: Connection
) -> None:
    names = ["BTC/USDT", "BTC/USDT:USDT"]
    snapshots, errors = asyncio.run(look_at_books(names, at(paper), ObservationSettings(), mongo_settings))
    store = ObservationStore(connection)
    assert errors == []
    assert [store.last(DepthSnapshot, symbol) for symbol in (SPOT, SWAP)] == snapshots
    for book in snapshots:
        assert book.bid < book.mid < book.ask
        assert book.level("10bps") is not None


def test_observing_stores_every_kind_and_gives_signs_of_life(
    paper: str, mongo_settings: MongoSettings, connection: Connection
) -> None:
    own = ObservationSettings(depth_seconds=1, mark_seconds=1, open_interest_seconds=1, funding_seconds=1)
    kinds = ["funding", "mark", "open-interest", "depth", "instruments"]
    store, heart = ObservationStore(connection), HeartbeatStore(connection)

    async def observe() -> None:
        work = asyncio.create_task(
            run_observe(["BTC/USDT:USDT", "ETH/USDT"], kinds, at(paper), own, mongo_settings)
        )
        ends = asyncio.get_running_loop().time() + 40
        while not await asyncio.to_thread(is_seen):
            assert asyncio.get_running_loop().time() < ends
            assert not work.done(), work.exception()
            await asyncio.sleep(0.2)
        work.cancel()

    def is_seen() -> bool:
        swap = all(store.last(kind, SWAP) for kind in (FundingRate, MarkPrice, OpenInterest))
        books = [len(store.range(DepthSnapshot, name, *FAR)) for name in (SWAP, "BINANCE:ETHUSDT")]
        return (
            swap
            and min(books) >= 2
            and any(beat.process == "observation" for beat in heart.all())
            and bool(ListingStore(connection).all())
        )

    asyncio.run(observe())
    mark = store.last(MarkPrice, SWAP)
    assert mark is not None
    assert mark.funding_rate is not None
    assert mark.next_funding_at is not None
    assert mark.next_funding_at > mark.at
    beats = {(beat.process, beat.instance) for beat in heart.all()}
    assert beats - {("gateway", "main")} == {
        ("observation", "main")
    }  # the gateway of other tests goes on beating


@pytest.mark.timeout(120)
def test_listings_delistings_renames_and_rules_are_noticed_and_kept(
    mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    running, url = start_paper(
        mongo_settings,
        tmp_path,
        *("--symbols", "BTC/USDT,ETH/USDT,SOL/USDT", "--speed", "60", "--history", "1d"),
    )
    store = ListingStore(connection)
    try:
        first = asyncio.run(refresh_markets(at(url), mongo_settings, may_shrink=False))
        assert first.changes == ()
        known = {item.symbol for item in store.all()}
        for event in (
            {"kind": "tick", "pair": "BTC/USDT", "market": "spot", "price_decimals": 4},
            {"kind": "remove", "pair": "SOL/USDT"},
            {"kind": "rename", "pair": "ETH/USDT", "to": "NEW/USDT", "market": "spot"},
        ):
            httpx.post(f"{url}/paper/events", json=event).raise_for_status()

        def renamed_too() -> bool:
            """Events begin with bars, one second apart here: the last one sent is the last one to be seen."""
            asyncio.run(refresh_markets(at(url), mongo_settings, may_shrink=False))
            return "BINANCE:NEWUSDT" in {item.symbol for item in store.all()}

        await_true(renamed_too, seconds=40)
    finally:
        running.kill()
    now = {item.symbol: item for item in store.all()}
    assert known < set(now)
    events_seen = {(change.symbol, change.event) for change in store.changes()}
    assert ("BINANCE:SOLUSDT.P", "delisted") in events_seen
    assert ("BINANCE:NEWUSDT", "listed") in events_seen
    assert (SPOT, "changed") in events_seen
    assert (now["BINANCE:SOLUSDT"].status, now[SPOT].tick_size) == ("delisted", 0.0001)
    link_rename("BINANCE:ETHUSDT", "BINANCE:NEWUSDT", mongo_settings)
    listings, changes, _ = known_markets("BINANCE", "1d", mongo_settings)
    (new,) = [item for item in listings if item.symbol == "BINANCE:NEWUSDT"]
    assert new.renamed_from == "BINANCE:ETHUSDT"
    assert {"renamed", "delisted", "listed", "changed"} <= {item.event for item in changes}


class TestUniverses:
    def test_tickers_tell_of_now(
        self, paper: str, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        ((built, written),) = build_from_tickers(
            "top", Choice(2, "swap"), at(paper), mongo_settings, replace=False
        )
        assert written
        assert len(built.members) == 2
        assert all(symbol.endswith(".P") for symbol in built.symbols)
        assert UniverseStore(connection).universe("top", built.as_of) == built

    def test_bars_tell_of_any_date_and_only_of_what_had_closed(
        self, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        day = datetime(2024, 5, 1, tzinfo=UTC)
        names = {"LUNA": (0, 10, 900.0), "BTC": (0, 20, 500.0), "NEW": (12, 20, 5000.0)}
        InstrumentStore(connection).write([Instrument.from_pair("BINANCE", f"{name}/USDT") for name in names])
        CandleWriter(connection).write(
            [
                make_candle(
                    symbol=f"BINANCE:{name}USDT",
                    timeframe="1d",
                    open_time=day + timedelta(days=n),
                    volume=volume,
                    **dict.fromkeys(("open", "high", "low", "close"), 1.0),
                )
                for name, (begins, ends, volume) in names.items()
                for n in range(begins, ends)
            ]
        )
        dates = Dates(day + timedelta(days=5), day + timedelta(days=15), timedelta(days=5))
        built = build_from_bars(
            "top",
            Choice(2),
            dates,
            timedelta(days=3),
            DAY,
            IngestionSettings(),
            mongo_settings,
            replace=False,
        )
        volumes = [[(item.symbol[8:], item.quote_volume) for item in one.members] for one, _ in built]
        assert volumes == [
            [("LUNAUSDT", 2700.0), ("BTCUSDT", 1500.0)],
            [("LUNAUSDT", 2700.0), ("BTCUSDT", 1500.0)],
            [("NEWUSDT", 15000.0), ("BTCUSDT", 1500.0)],
        ]
        on_the_last_day = build_from_bars(
            "eve",
            Choice(3),
            Dates(day + timedelta(days=12, hours=23)),
            timedelta(days=3),
            DAY,
            IngestionSettings(),
            mongo_settings,
            replace=False,
        )[0][0]
        assert "BINANCE:NEWUSDT" not in on_the_last_day.symbols  # its first bar had not closed
        seen = universe_at("top", day + timedelta(days=14, hours=23), mongo_settings)
        assert seen is not None
        assert seen.symbols[0] == "BINANCE:LUNAUSDT"

    def test_a_file_needs_a_date_and_known_names(
        self, mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
    ) -> None:
        names = tmp_path / "names.txt"
        names.write_text("BTC/USDT\n")
        given = (names, datetime(2024, 1, 1, tzinfo=UTC), IngestionSettings(), mongo_settings)
        with pytest.raises(ConfigError, match="ingest instruments"):
            build_from_file("mine", *given, most=None, replace=False)
        InstrumentStore(connection).write([Instrument.from_pair("BINANCE", "BTC/USDT")])
        with pytest.raises(ConfigError, match="--as-of"):
            build_from_file("mine", names, None, *given[2:], most=None, replace=False)
        assert build_from_file("mine", *given, most=None, replace=False)[0][0].symbols == (SPOT,)


MARKET = {
    "symbol": "BTCUSDT",
    "pair": "BTCUSDT",
    "contractType": "PERPETUAL",
    "status": "TRADING",
    "baseAsset": "BTC",
    "quoteAsset": "USDT",
    "marginAsset": "USDT",
    "onboardDate": 1569398400000,
    "deliveryDate": 4133404800000,
    "filters": [{"filterType": "PRICE_FILTER", "tickSize": "0.10", "minPrice": "1", "maxPrice": "9"}],
}


def serve_swaps(script: Scripted, *swaps: dict[str, object]) -> None:
    script.answers["/fapi/v1/exchangeInfo"] = [json_answer({"symbols": list(swaps)})]
    script.answers["/dapi/v1/exchangeInfo"] = [json_answer({"symbols": []})]


class TestABadVenue:
    def test_what_is_answered_late_or_broken_is_asked_again(
        self, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        at_ms = int(datetime.now(tz=UTC).timestamp() * 1000) // 60_000 * 60_000 - 3_600_000
        rows = [{"symbol": "BTCUSDT", "fundingTime": at_ms + 5, "fundingRate": "0.0001"}]
        with scripted_exchange() as script:
            serve_swaps(script, MARKET)
            script.answers["/fapi/v1/fundingRate"] = [
                Answer("{}", 503),
                Answer(json.dumps(rows), cut=True),
                json_answer(rows),
            ]
            assert fill("funding", "2d", script.url, mongo_settings) == (1, 0, "")
        assert len(ObservationStore(connection).range(FundingRate, SWAP, *FAR)) == 1

    def test_a_page_instead_of_an_answer_stores_nothing(
        self, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        with scripted_exchange() as script:
            serve_swaps(script, MARKET)
            script.answers["/fapi/v1/fundingRate"] = [Answer("<html>maintenance</html>")]
            inserted, _, error = fill("funding", "2d", script.url, mongo_settings)
        assert inserted == 0
        assert error
        assert ObservationStore(connection).last(FundingRate, SWAP) is None

    def test_half_a_market_list_delists_nothing(
        self, mongo_settings: MongoSettings, connection: Connection
    ) -> None:
        swaps = [
            {**MARKET, "symbol": f"C{n}USDT", "pair": f"C{n}USDT", "baseAsset": f"C{n}"} for n in range(40)
        ]
        with scripted_exchange() as script:
            serve_swaps(script, *swaps)
            asyncio.run(refresh_markets(at(script.url), mongo_settings, may_shrink=False))
            serve_swaps(script, *swaps[:20])
            with pytest.raises(VenueUnavailable, match="lacks 20 of 41"):
                asyncio.run(refresh_markets(at(script.url), mongo_settings, may_shrink=False))
            listings, changes, _ = known_markets("BINANCE", "1d", mongo_settings)
            assert len([item for item in listings if item.status == "trading"]) == 41
            assert changes == []
            asyncio.run(refresh_markets(at(script.url), mongo_settings, may_shrink=True))
        assert len([item for item in ListingStore(connection).all() if item.status == "delisted"]) == 20


class TestFiles:
    def test_recorded_files_overlap_without_a_second_row(
        self, mongo_settings: MongoSettings, connection: Connection, shared_data: Path
    ) -> None:
        folder = shared_data / "raw" / "binance_futures_csv"
        InstrumentStore(connection).write([Instrument.from_pair("BINANCE", "ZEC/USDT:USDT")])
        files = [
            folder / "ZECUSDT_funding.csv",
            shared_data / "funding" / "BINANCE_ZECUSDT_FUNDING_PERP.parquet",
        ]
        first = import_files("funding", files, IngestionSettings(), mongo_settings)
        again = import_files("funding", files, IngestionSettings(), mongo_settings)
        assert [item.error for item in first] == ["", ""]
        rows = ObservationStore(connection).range(FundingRate, "BINANCE:ZECUSDT.P", *FAR)
        assert sum(item.report.inserted for item in first) == len(rows) > 1000
        assert sum(item.report.inserted + item.report.rejected for item in again) == 0
        (interest,) = import_files(
            "open-interest", [folder / "ZECUSDT_oi_4h.csv"], IngestionSettings(), mongo_settings
        )
        assert (interest.error, interest.report.inserted) == ("", 168)

    def test_a_small_file_and_a_wrong_one(
        self, mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
    ) -> None:
        good, wrong, absent = (tmp_path / name for name in ("good.csv", "wrong.csv", "absent.csv"))
        good.write_text(
            "timestamp,symbol,funding_rate\n1768233600000,ZECUSDT,0.0001\n1768262400007000,ZECUSDT,0.0002\n"
            "soon,ZECUSDT,0.0003\n1768291200000,ZECUSDT,nan\n"
        )
        wrong.write_text("a,b\n1,2\n")
        found = import_files("funding", [good, wrong, absent], IngestionSettings(), mongo_settings)
        assert (found[0].report.inserted, found[0].report.rejected) == (2, 2)
        assert "expected columns" in found[1].error
        assert "could not read" in found[2].error
        assert len(ObservationStore(connection).range(FundingRate, "BINANCE:ZECUSDT.P", *FAR)) == 2


@pytest.mark.proof
@pytest.mark.timeout(300)
def test_the_commands_do_as_they_say(
    paper: str, mongo_settings: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    command = ["ingest", "observe", "--symbols", "BTC/USDT:USDT", "--kinds", "mark", "--venue-url", paper]
    running = start(command, mongo_settings, tmp_path, "observe", QUANTBUS_OBSERVATION_MARK_SECONDS="1")
    try:
        at_venue = ("--venue-url", paper, "--json")
        markets = ingest(mongo_settings, tmp_path, "instruments", "--symbols", "BTC/USDT", *at_venue)
        (btc,) = json.loads(markets.stdout)["markets"]
        assert (btc["symbol"], btc["status"]) == (SPOT, "trading")
        built = ingest(
            mongo_settings,
            tmp_path,
            *("universe", "build", "two", "--from", "tickers", "--top", "2"),
            *at_venue,
        )
        shown = ingest(mongo_settings, tmp_path, "universe", "show", "two", "--json")
        members = [item["symbol"] for item in json.loads(shown.stdout)["members"]]
        assert json.loads(built.stdout)["universes"][0]["members"] == members
        await_true(
            lambda: ObservationStore(connection).last(MarkPrice, SWAP) is not None,
            seconds=60,
            told=running.log.read_text,
        )
        running.stop()
        assert running.process.returncode == 0
    finally:
        running.kill()
