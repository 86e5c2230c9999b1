from pathlib import Path

import numpy as np
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.recordings.files import (
    SeriesFile,
    find_files,
    load_series,
    read_bars,
    select_files,
)
from tests.unit.services.paper_exchange.recordings import START, recording, write_parquet

M1 = Timeframe.parse("1m")
QUOTES = ("USDT", "BTC", "TUSD", "USD")
BARS = recording(50)


def select(
    folder: Path, pairs: tuple[tuple[str, str], ...] | None = None
) -> dict[tuple[str, str], SeriesFile]:
    return select_files(find_files([folder]), venue="BINANCE", timeframe=M1, pairs=pairs, quotes=QUOTES)


def test_a_file_comes_back_bar_by_bar(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", BARS)
    bars = read_bars(path, M1)
    assert bars.open_time.tolist() == BARS.open_time.tolist()
    assert bars.close.tolist() == BARS.close.tolist()
    assert bars.volume.tolist() == BARS.volume.tolist()


def test_a_folder_is_searched_to_the_bottom_for_the_wanted_series(tmp_path: Path) -> None:
    for name in (
        "ohlcv/1m/BINANCE_BTCUSDT_1m.parquet",
        "ohlcv/1m/BINANCE_BTCUSDT_1m_PERP.parquet",
        "ohlcv/1m/BINANCE_BTCUSDT_1m__2021Q1.parquet",
        "ohlcv/1m/BINANCEUS_BTCUSDT_1m.parquet",
        "ohlcv/1h/BINANCE_BTCUSDT_1h.parquet",
        "ohlcv/1m/BINANCE_ETHBTC_1m.parquet",
        "funding/BINANCE_BTCUSDT_FUNDING_PERP.parquet",
    ):
        write_parquet(tmp_path / name, BARS)
    chosen = select(tmp_path)
    assert {pair: file.path.name for pair, file in chosen.items()} == {
        ("BTC", "USDT"): "BINANCE_BTCUSDT_1m.parquet",
        ("ETH", "BTC"): "BINANCE_ETHBTC_1m.parquet",
    }
    assert {listing.pair for listing in load_series(chosen, M1)} == {"BTC/USDT", "ETH/BTC"}


def test_a_named_pair_decides_how_a_name_is_split(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCTUSD_1m.parquet", BARS)
    with pytest.raises(ConfigError, match="BTC/TUSD or BTCT/USD"):
        select(tmp_path)
    assert list(select(tmp_path, (("BTC", "TUSD"),))) == [("BTC", "TUSD")]


def test_several_files_of_one_series_are_refused_with_their_paths(tmp_path: Path) -> None:
    for label in ("2021", "2022"):
        write_parquet(tmp_path / f"BINANCE_BTCUSDT_1m__{label}.parquet", BARS)
    with pytest.raises(ConfigError, match=r"__2021\.parquet.*__2022\.parquet"):
        select(tmp_path)


def test_a_pair_without_a_file_is_refused_with_what_there_is(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", BARS)
    with pytest.raises(ConfigError, match="candles of SOL/USDT, found those of BTCUSDT"):
        select(tmp_path, (("SOL", "USDT"),))


def test_another_venue_or_timeframe_is_refused_with_what_there_is(tmp_path: Path) -> None:
    write_parquet(tmp_path / "OKX_BTCUSDT_1h.parquet", BARS)
    with pytest.raises(ConfigError, match="found only OKX 1h; choose another --venue or --timeframe"):
        select(tmp_path)


def test_a_missing_path_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        find_files([tmp_path / "nowhere"])


def test_a_folder_without_candles_is_refused(tmp_path: Path) -> None:
    write_parquet(tmp_path / "FUNDING.parquet", BARS)
    with pytest.raises(ConfigError, match="found none"):
        find_files([tmp_path])


@pytest.mark.parametrize("name", ["candles.parquet", "BINANCE_BTCUSDT_1m_PERP.parquet"])
def test_a_file_that_its_name_does_not_call_spot_candles_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match=name):
        find_files([write_parquet(tmp_path / name, BARS)])


@pytest.mark.parametrize(
    ("column", "row", "value", "told"),
    [
        ("close", 7, float("nan"), r"2025-03-01T00:07:00.000Z in row 7: close_not_finite nan"),
        ("high", 3, 1.0, "row 3: high_below"),
        ("low", 3, 0.0, "row 3: low_not_positive"),
        ("close", 5, 5_000.0, "row 5: high_below_body"),
        ("open", 6, 0.5, "row 6: low_above_body"),
        ("volume", 9, -1.0, "row 9: volume_negative -1.0"),
        ("open", 0, float("inf"), "row 0: open_not_finite inf"),
    ],
)
def test_a_broken_bar_is_refused_and_named(
    tmp_path: Path, column: str, row: int, value: float, told: str
) -> None:
    values = getattr(BARS, column).copy()
    values[row] = value
    path = write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", BARS, replace={column: values})
    with pytest.raises(ConfigError, match=told):
        read_bars(path, M1)


def test_bars_out_of_order_repeated_or_between_the_minutes_are_refused(tmp_path: Path) -> None:
    for moments, told in (
        (BARS.open_time[[0, 2, 1, *range(3, 50)]], "ascending order"),
        (BARS.open_time[[0, 1, 1, *range(3, 50)]], "row 2"),
        (BARS.open_time + 5, "open times of 1m bars"),
    ):
        replace = {"ts": moments.astype("datetime64[ms]")}
        path = write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", BARS, replace=replace)
        with pytest.raises(ConfigError, match=told):
            read_bars(path, M1)


def test_an_empty_cell_is_refused(tmp_path: Path) -> None:
    values = [None, *BARS.close[1:].tolist()]
    path = write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", BARS, replace={"close": values})
    with pytest.raises(ConfigError, match="found 1 empty"):
        read_bars(path, M1)


def test_a_truncated_file_is_refused(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", BARS)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ConfigError, match=r"expected a Parquet file .* at '.*BTCUSDT_1m"):
        read_bars(path, M1)


def test_a_missing_column_and_an_empty_table_are_refused(tmp_path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    path = tmp_path / "BINANCE_BTCUSDT_1m.parquet"
    pq.write_table(pa.table({"ts": BARS.open_time, "open": BARS.open}), path)
    with pytest.raises(ConfigError, match="columns ts, open, high, low, close, volume"):
        read_bars(path, M1)
    write_parquet(path, BARS.rows(0, 0))
    with pytest.raises(ConfigError, match="empty table"):
        read_bars(path, M1)


def test_microseconds_are_understood(tmp_path: Path) -> None:
    moments = (BARS.open_time * 1000).astype("datetime64[us]")
    path = write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", BARS, replace={"ts": moments})
    assert read_bars(path, M1).open_time[0] == START
    assert np.all(np.diff(read_bars(path, M1).open_time) == 60_000)
