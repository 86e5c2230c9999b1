import gzip
import os
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ContractError
from quantbus_services.ingestion.files import FileBars, read_bars
from quantbus_services.ingestion.files.bars import epoch_milliseconds

FIRST = 1_735_603_200_000  # 2024-12-31T00:00Z
SECOND = FIRST + 60_000


def read(tmp_path: Path, text: str, name: str = "candles.csv") -> FileBars:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return read_bars(path)


def opens(bars: FileBars) -> list[float]:
    return [float(value) for value in bars.values["open"]]


def kline(open_time: int, price: float) -> str:
    return f"{open_time},{price},{price + 1},{price - 1},{price},7.5,{open_time + 59_999},1,2,3,4,0"


def test_binance_klines_without_header_in_milliseconds(tmp_path: Path) -> None:
    bars = read(tmp_path, f"{kline(FIRST, 10)}\n{kline(SECOND, 11)}\n")

    assert bars.source == "import:csv"
    assert bars.open_times_ms.tolist() == [FIRST, SECOND]
    assert {name: column.tolist() for name, column in bars.values.items()} == {
        "open": [10, 11],
        "high": [11, 12],
        "low": [9, 10],
        "close": [10, 11],
        "volume": [7.5, 7.5],
    }
    assert bars.rows.tolist() == [1, 2]


def test_microseconds_are_told_from_milliseconds_row_by_row(tmp_path: Path) -> None:
    bars = read(tmp_path, f"{kline(FIRST, 10)}\n{kline(SECOND * 1000, 11)}\n")

    assert bars.open_times_ms.tolist() == [FIRST, SECOND]


def test_binance_klines_with_header(tmp_path: Path) -> None:
    header = "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,x,ignore"

    bars = read(tmp_path, f"{header}\n{kline(FIRST, 10)}\n")

    assert bars.open_times_ms.tolist() == [FIRST]
    assert bars.rows.tolist() == [2]


def test_kraken_rows_count_seconds(tmp_path: Path) -> None:
    bars = read(tmp_path, f"{FIRST // 1000},1,2,0.5,1.5,3.25,17\n", "XBTUSD_1.csv")

    assert bars.open_times_ms.tolist() == [FIRST]
    assert bars.values["volume"].tolist() == [3.25]


def test_cryptodatadownload_has_a_line_above_its_header_and_two_volumes(tmp_path: Path) -> None:
    text = (
        "https://www.CryptoDataDownload.com\n"
        "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount\n"
        f"{SECOND},2024-12-31 00:01:00,BTC/USDT,11,12,10,11,7,77,1\n"
        f"{FIRST},2024-12-31,BTC/USDT,10,11,9,10,5,55,1\n"
    )

    bars = read(tmp_path, text)

    assert bars.open_times_ms.tolist() == [SECOND, FIRST]
    assert bars.values["volume"].tolist() == [7, 5]
    assert bars.rows.tolist() == [3, 4]


def test_twelve_hour_dates(tmp_path: Path) -> None:
    text = "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD\n" + "".join(
        f"2019-10-17 {hour},BTCUSD,1,2,0.5,1,1,1\n" for hour in ("12-AM", "09-AM", "12-PM", "11-PM")
    )

    hours = [datetime.fromtimestamp(value / 1000, UTC).hour for value in read(tmp_path, text).open_times_ms]

    assert hours == [0, 9, 12, 23]


@pytest.mark.parametrize(
    ("name", "moment"),
    [
        ("timestamp", "2024-12-31T00:00:00Z"),
        ("ts", "2024-12-31 00:00:00"),
        ("date", "2024-12-31"),
        ("datetime", "2024-12-31T01:00:00+01:00"),
        ("timestamp", f"{FIRST}"),
        ("time", f"{FIRST // 1000}"),
        ("ts", f"{FIRST}.0"),
        ("ts", f"{FIRST * 1_000_000}"),
    ],
)
def test_a_plain_header_in_any_order_and_case(tmp_path: Path, name: str, moment: str) -> None:
    bars = read(tmp_path, f"Close,{name.title()},Volume,High,Low,Open\n3,{moment},9,4,1,2\n")

    assert bars.open_times_ms.tolist() == [FIRST]
    assert {key: column.tolist() for key, column in bars.values.items()} == {
        "close": [3],
        "volume": [9],
        "high": [4],
        "low": [1],
        "open": [2],
    }


def test_cells_without_a_number_are_refused_one_by_one_with_line_and_text(tmp_path: Path) -> None:
    lines = [
        "ts,open,high,low,close,volume",
        f"{FIRST},1,2,0.5,1,1",
        f"{SECOND},1,oops,0.5,1,1",
        f"{SECOND + 60_000},1,2,,1,1",
        "when,1,2,0.5,1,1",
        f"{SECOND + 120_000},1,2",
        "",
        f"{SECOND + 180_000},1,2,0.5,1,nan",
        f"{SECOND + 240_000},5,6,4,5,1",
    ]

    bars = read(tmp_path, "\n".join(lines))

    assert sorted((item.row, item.field, item.value, item.reason) for item in bars.rejections) == [
        (3, "high", "oops", "high_not_a_number"),
        (4, "low", "", "low_not_a_number"),
        (5, "ts", "when", "open_time_unreadable"),
        (6, "row", f"{SECOND + 120_000},1,2", "row_too_short"),
    ]
    assert bars.rows.tolist() == [2, 8, 9]
    assert np.isnan(bars.values["volume"][1])  # refused later, where the rules of the contract are applied


def test_compressed_files(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(kline(FIRST, 10).encode()))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("BTCUSDT-1m-2024-12.csv", kline(FIRST, 10))

    assert opens(read_bars(tmp_path / "a.csv.gz")) == [10]
    assert opens(read_bars(tmp_path / "b.zip")) == [10]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "found an empty file"),
        ("ts,open,high,low,close,volume\n", "found a header only"),
        ("ts,price\n1,2\n", "expected a header with a time"),
        ("SNo,Name,High,Low\n1,2,3,4\n", "expected a header with a time"),
        ("1,2,3,4\n", "found 4 columns"),
        ("timestamp,symbol,funding_rate\n1768233600000,ZECUSDT,0.0001\n", "found timestamp, symbol"),
    ],
)
def test_unknown_layouts_are_refused_with_what_was_expected(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ContractError, match=told):
        read(tmp_path, text)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv.gz").write_bytes(
        gzip.compress(kline(FIRST, 10).encode() + b"\n" + os.urandom(99).hex().encode())[:-60]
    )
    (tmp_path / "b.zip").write_bytes(b"PK not really")
    (tmp_path / "c.csv").write_bytes(b"\xff\xfe\x00binary")
    rows = "\n".join(kline(FIRST + 60_000 * index, index + 1) for index in range(99)).encode()
    scrambled = bytearray(gzip.compress(rows))
    scrambled[60:80] = b"\xff" * 20
    (tmp_path / "d.csv.gz").write_bytes(scrambled)

    for name in ("a.csv.gz", "b.zip", "c.csv", "d.csv.gz"):
        with pytest.raises(ContractError, match="no readable CSV"):
            read_bars(tmp_path / name)


@pytest.mark.parametrize(("offset", "value"), [(6, 1), (8, 97)], ids=["password", "unknown compression"])
def test_a_zip_that_cannot_be_opened_is_refused(tmp_path: Path, offset: int, value: int) -> None:
    path = tmp_path / "locked.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", kline(FIRST, 10))
    content = bytearray(path.read_bytes())
    content[offset] = content[content.rfind(b"PK\x01\x02") + offset + 2] = value
    path.write_bytes(content)

    with pytest.raises(ContractError, match="no readable CSV"):
        read_bars(path)


def test_a_suffix_in_capitals_is_the_same(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "A.ZIP", "w") as archive:
        archive.writestr("a.csv", kline(FIRST, 10))
    (tmp_path / "B.CSV.GZ").write_bytes(gzip.compress(kline(FIRST, 10).encode()))

    assert [opens(read_bars(tmp_path / name)) for name in ("A.ZIP", "B.CSV.GZ")] == [[10.0], [10.0]]


def test_a_zip_with_two_tables_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("a.csv", "")
        archive.writestr("b.csv", "")

    with pytest.raises(ContractError, match="one CSV file inside"):
        read_bars(tmp_path / "b.zip")


@given(st.integers(1_230_940_800, 4_102_444_800), st.sampled_from([1, 1_000, 1_000_000, 1_000_000_000]))
def test_the_size_of_a_number_tells_its_unit(seconds: int, units: int) -> None:
    assert epoch_milliseconds(np.array([seconds * units])).tolist() == [seconds * 1000]


@given(st.lists(st.lists(st.text(max_size=6), max_size=8), max_size=6))
def test_no_content_whatever_raises_anything_but_a_clear_refusal(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[str]]
) -> None:
    path = tmp_path_factory.mktemp("csv") / "x.csv"
    path.write_text("\n".join(",".join(row) for row in rows), encoding="utf-8", errors="surrogatepass")
    try:
        bars = read_bars(path)
    except ContractError:
        return
    assert len(bars.rows) == len(bars.open_times_ms)


def test_a_daily_bar_named_by_its_last_second_is_the_bar_of_that_day(tmp_path: Path) -> None:
    path = tmp_path / "coin.csv"
    path.write_text(
        "Date,High,Low,Open,Close,Volume\n2020-04-11 23:59:59,2,0.5,1,1.5,3\n2020-04-12 00:00:00,2,0.5,1,1.5,3\n"
    )
    day = 86_400_000
    assert [moment // day for moment in read_bars(path).open_times_ms.tolist()] == [18_363, 18_364]
    assert all(moment % day == 0 for moment in read_bars(path).open_times_ms.tolist())
