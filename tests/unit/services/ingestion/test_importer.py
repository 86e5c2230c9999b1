from datetime import UTC, datetime
from pathlib import Path

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.schema import CandleReport
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import FakeInstrumentStore, FrozenClock
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.identify import Identifier, Overrides
from quantbus_services.ingestion.transfer.importer import FileReport, Importer, exit_code, find_files
from quantbus_services.ingestion.transfer.names import InstrumentNames

NOW = datetime(2026, 1, 6, tzinfo=UTC)
NOON_MS = int(datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp() * 1000)


class Columns:
    """Notes what would be written; goes away after ``survives`` batches."""

    def __init__(self, survives: int = 10**6) -> None:
        self.survives = survives
        self.batches: list[CandleColumns] = []

    def write_columns(self, columns: CandleColumns) -> CandleReport:
        if len(self.batches) == self.survives:
            raise BusUnavailable("the bus did not answer in time: connection closed")
        self.batches.append(columns)
        return CandleReport(inserted=len(columns))


def csv(folder: Path, name: str, *, rows: int = 3, bad: bool = False) -> Path:
    lines = [f"{NOON_MS + index * 60_000},10,11,9,10,5" for index in range(rows)]
    if bad:
        lines[1] = f"{NOON_MS + 60_000},10,8,9,10,5"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text("\n".join(["ts,open,high,low,close,volume", *lines]), encoding="utf-8")
    return path


def run(
    *paths: Path,
    writer: Columns | None = None,
    instruments: FakeInstrumentStore | None = None,
    overrides: Overrides | None = None,
    by_hand: tuple[Path, ...] | None = None,
) -> list[FileReport]:
    settings = IngestionSettings()
    store = instruments or FakeInstrumentStore()
    identify = Identifier(
        InstrumentNames(store.all(), settings.quotes, settings.venue_quotes),
        overrides or Overrides(),
        folder_venues=settings.folder_venues,
        quotes=settings.quotes,
    )
    importer = Importer(
        writer or Columns(), store, identify=identify, clock=FrozenClock(NOW), bus_now=lambda: NOW
    )
    return list(importer.run(find_files(paths), named_by_hand=paths if by_hand is None else by_hand))


def test_a_file_is_written_under_the_series_its_name_says(tmp_path: Path) -> None:
    writer, instruments = Columns(), FakeInstrumentStore()

    [report] = run(csv(tmp_path / "okx", "BTC_USDT-1m.csv"), writer=writer, instruments=instruments)

    assert report.error == ""
    assert (report.symbol, report.timeframe, report.source, report.rows) == (
        "OKX:BTCUSDT",
        "1m",
        "import:csv",
        3,
    )
    assert report.report == CandleReport(inserted=3)
    assert [batch.symbol for batch in writer.batches] == ["OKX:BTCUSDT"]
    assert [item.pair for item in instruments.all("OKX")] == ["BTC/USDT"]


def test_refused_rows_are_counted_and_the_rest_goes_in(tmp_path: Path) -> None:
    [report] = run(csv(tmp_path, "BINANCE_BTCUSDT_1m.csv", bad=True))

    assert report.error == ""
    assert report.report == CandleReport(inserted=2, rejected=1)
    assert [(item.row, item.reason) for item in report.rejections] == [(3, "high_below_low")]


def test_what_a_person_says_wins_over_the_name(tmp_path: Path) -> None:
    path = csv(tmp_path, "BINANCE_BTCUSDT_1m.csv")

    [report] = run(path, overrides=Overrides(venue="bybit", symbol="ETH/USDT:USDT", timeframe="1m"))
    [other] = run(path, overrides=Overrides(symbol="OKX:BTCUSDT.P"))

    assert report.symbol == "BYBIT:ETHUSDT.P"
    assert other.symbol == "OKX:BTCUSDT.P"


def test_a_name_that_leaves_something_unsaid_asks_for_just_that(tmp_path: Path) -> None:
    [report] = run(csv(tmp_path, "ZECUSDT_1m.csv"))
    [nothing] = run(csv(tmp_path, "candles.csv"))

    assert "which says symbol 'ZECUSDT', timeframe '1m'; give --venue" in report.error
    assert "give --venue and --symbol and --timeframe" in nothing.error


def test_bad_files_do_not_stop_good_ones(tmp_path: Path) -> None:
    good = csv(tmp_path, "BINANCE_BTCUSDT_1m.csv")
    empty = tmp_path / "BINANCE_ETHUSDT_1m.parquet"
    empty.write_bytes(b"PAR1")
    unsplit = csv(tmp_path, "BINANCE_BTCXYZ_1m.csv")
    weekly = csv(tmp_path, "BINANCE_SOLUSDT_1w.csv")
    writer = Columns()

    reports = run(tmp_path / "absent.csv", empty, unsplit, weekly, good, writer=writer)

    assert [bool(report.error) for report in reports] == [True, True, True, True, False]
    assert "found nothing at" in reports[0].error
    assert "no complete Parquet file" in reports[1].error
    assert "no known market" in reports[2].error
    assert "expected a timeframe out of" in reports[3].error
    assert len(writer.batches) == 1
    assert (exit_code(reports), exit_code(reports[:4]), exit_code(reports[4:])) == (1, 2, 0)


def test_a_file_of_which_no_row_may_be_stored_is_a_failure(tmp_path: Path) -> None:
    path = tmp_path / "BINANCE_BTCUSDT_1m.csv"
    path.write_text(
        "\n".join(f"{NOON_MS + 60_000 * minute},10,9,11,10,5" for minute in range(3)), encoding="utf-8"
    )

    [report] = run(path)

    assert (report.refused_whole, report.reasons) == (True, {"high_below_low": 3})
    assert exit_code([report]) == 1


def test_a_bus_lost_between_two_batches_tells_what_was_stored_and_ends_the_import(tmp_path: Path) -> None:
    times = [NOON_MS - index * 60_000 for index in range(25_000)]
    path = tmp_path / "BINANCE_BTCUSDT_1m.csv"
    path.write_text("\n".join(f"{time},10,11,9,10,5" for time in times), encoding="utf-8")

    reports = run(path, csv(tmp_path, "BINANCE_ETHUSDT_1m.csv"), writer=Columns(survives=2))

    assert reports[0].report.inserted == 20_000
    assert "20,000 bars of this file were stored before that" in reports[0].error
    assert "again is safe" in reports[0].error
    assert reports[1].error == "not tried: the bus is lost"
    assert exit_code(reports) == exit_code(reports[:1]) == 1


def test_a_folder_is_searched_and_what_holds_no_candles_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "binance"
    csv(folder / "futures", "BTC_USDT_USDT-1h-mark.csv")
    csv(folder, "BTC_USDT-1m.csv")
    (folder / "notes.txt").write_text("hello", encoding="utf-8")

    reports = run(folder)

    assert [(report.path.name, bool(report.skipped), report.error) for report in reports] == [
        ("BTC_USDT-1m.csv", False, ""),
        ("BTC_USDT_USDT-1h-mark.csv", True, ""),
    ]


def test_a_file_named_by_hand_that_holds_no_candles_is_a_failure(tmp_path: Path) -> None:
    [report] = run(csv(tmp_path / "binance", "BTC_USDT_USDT-1h-mark.csv"))

    assert report.skipped == ""
    assert "'mark'" in report.error


def test_a_folder_without_candles_is_a_failure(tmp_path: Path) -> None:
    [report] = run(tmp_path)

    assert "in the folder" in report.error


def test_a_file_under_the_wrong_timeframe_is_refused_whole(tmp_path: Path) -> None:
    writer = Columns()

    [report] = run(
        csv(tmp_path, "BINANCE_BTCUSDT_1m.csv", rows=200), overrides=Overrides(timeframe="1h"), writer=writer
    )

    assert "expected 1h bars, found bars 0:01:00 apart" in report.error
    assert writer.batches == []


def test_known_markets_decide_an_ambiguous_name(tmp_path: Path) -> None:
    path = csv(tmp_path, "BYBIT_BNBUSD_1m.csv")
    known = FakeInstrumentStore()
    known.write([Instrument.from_pair("BYBIT", "BNB/USD")])

    assert "ambiguous" in run(path)[0].error
    assert run(path, instruments=known)[0].symbol == "BYBIT:BNBUSD"
