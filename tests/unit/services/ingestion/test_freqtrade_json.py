"""Freqtrade's JSON files of candles."""

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from quantbus_contracts.errors import ContractError
from quantbus_services.ingestion.files import read_bars

CANDLE = [1_735_603_200_000, 1.0, 2.0, 0.5, 1.5, 3.0]


def written(folder: Path, rows: Any, name: str = "ETH_USDT-5m.json") -> Path:
    path = folder / name
    text = json.dumps(rows)
    path.write_bytes(gzip.compress(text.encode()) if name.endswith(".gz") else text.encode())
    return path


@pytest.mark.parametrize("name", ["ETH_USDT-5m.json", "ETH_USDT-5m.json.gz"])
def test_candles_are_read_plain_and_compressed(tmp_path: Path, name: str) -> None:
    bars = read_bars(written(tmp_path, [CANDLE, [CANDLE[0] + 300_000, 1, 2, 1, 2, 0]], name))
    assert bars.source == "import:freqtrade"
    assert bars.open_times_ms.tolist() == [1_735_603_200_000, 1_735_603_500_000]
    assert bars.values["close"].tolist() == [1.5, 2.0]
    assert bars.rows.tolist() == [1, 2]


@pytest.mark.parametrize(
    "row",
    [
        CANDLE[:5],
        [*CANDLE, 1],
        {},
        "x",
        None,
        [True, 1, 1, 1, 1, 1],
        ["a", 1, 1, 1, 1, 1],
        [1e30, 1, 1, 1, 1, 1],
    ],
)
def test_a_row_that_is_no_candle_is_refused_and_the_others_stay(tmp_path: Path, row: Any) -> None:
    bars = read_bars(written(tmp_path, [row, CANDLE]))
    assert bars.rows.tolist() == [2]
    assert [(item.row, item.reason) for item in bars.rejections] == [(1, "row_is_no_candle")]


def test_a_number_that_is_none_is_left_to_the_rules_of_candles(tmp_path: Path) -> None:
    bars = read_bars(written(tmp_path, [[CANDLE[0], float("nan"), 2, 1, 2, 3]]))
    assert np.isnan(bars.values["open"][0])


def test_an_empty_list_holds_no_bars(tmp_path: Path) -> None:
    assert len(read_bars(written(tmp_path, []))) == 0


@pytest.mark.parametrize("content", [b"[[1, 2", b'{"a": 1}', b"[1, 2]", b"\xff\xfe", b"[" * 100_000])
def test_another_file_is_refused_as_a_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "ETH_USDT-5m.json"
    path.write_bytes(content)
    with pytest.raises(ContractError, match="ETH_USDT"):
        read_bars(path)


def test_the_newest_bar_can_be_refused_wherever_it_stands(tmp_path: Path) -> None:
    later = [CANDLE[0] + 300_000, *CANDLE[1:]]
    bars = read_bars(written(tmp_path, [later, CANDLE])).without_newest()
    assert bars.open_times_ms.tolist() == [CANDLE[0]]
    assert [(item.row, item.reason) for item in bars.rejections] == [(1, "unfinished_last_row")]
    assert len(bars.without_newest().without_newest()) == 0
