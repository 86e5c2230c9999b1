"""Positions out of files that other programs wrote."""

from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.dataset import read_positions


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.csv"
    file.write_text(text, encoding="utf-8")
    return file


def test_a_file_of_one_market_needs_to_be_told_whose_it_is(tmp_path: Path) -> None:
    file = written(tmp_path, "datetime,position\n2026-01-05 01:00,1\n2026-01-05T00:00:00Z,0\n")
    found = read_positions(file, "BINANCE", "BTC/USDT")
    assert found.index[0] == ("BINANCE:BTCUSDT", pd.Timestamp("2026-01-05", tz="UTC"))
    assert found.tolist() == [0.0, 1.0]
    with pytest.raises(ConfigError, match=r"expected a column pair or symbol in .*, or --pair"):
        read_positions(file, "BINANCE")


def test_pairs_and_symbols_are_both_understood(tmp_path: Path) -> None:
    by_pair = read_positions(
        written(tmp_path, "ts,pair,position\n2026-01-05,BTC/USDT:USDT,1\n2026-01-05,ETH/USDT:USDT,0\n"), "OKX"
    )
    by_symbol = tmp_path / "mine.parquet"
    by_pair.rename_axis(["symbol", "ts"]).reset_index().to_parquet(by_symbol)
    pd.testing.assert_series_equal(by_pair, read_positions(by_symbol, "OKX"))
    assert list(by_pair.index.get_level_values(0)) == ["OKX:BTCUSDT.P", "OKX:ETHUSDT.P"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "when,position\n2026-01-05,1\n",
            "expected the columns datetime and position in .*, found when, position",
        ),
        ("datetime,position\n", "expected positions in .*, found none"),
        ("datetime,position\nsoon,1\n", "expected times and numbers"),
        ("datetime,position\n2026-01-05,long\n", "expected times and numbers"),
        ("datetime,position\n2026-01-05,1\n2026-01-05,0\n", "expected each bar once"),
    ],
)
def test_what_is_no_list_of_positions_is_refused(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        read_positions(written(tmp_path, text), "BINANCE", "BTC/USDT")
    with pytest.raises(ConfigError, match="cannot read the positions"):
        read_positions(tmp_path / "gone.csv", "BINANCE", "BTC/USDT")
