from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest

from quantbus_contracts.errors import ContractError
from quantbus_services.ingestion.files import read_bars

MOMENT = datetime(2024, 12, 31, tzinfo=UTC)
MILLISECONDS = 1_735_603_200_000
PRICES: dict[str, Any] = {"open": [1.0], "high": [2.0], "low": [0.5], "close": [1.5], "volume": [3.0]}


def parquet(tmp_path: Path, columns: dict[str, Any]) -> Path:
    path = tmp_path / "candles.parquet"
    pa.parquet.write_table(pa.table(columns), path)
    return path


def feather(tmp_path: Path, columns: dict[str, Any]) -> Path:
    path = tmp_path / "BTC_USDT-1m.feather"
    table = pa.table(columns)
    with (
        pa.OSFile(str(path), "wb") as file,
        pa.ipc.new_file(file, table.schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer,
    ):
        writer.write_table(table)
    return path


@pytest.mark.parametrize(
    "times",
    [
        pa.array([MOMENT], pa.timestamp("ms", tz="UTC")),
        pa.array([MOMENT], pa.timestamp("ns", tz="UTC")),
        pa.array([MOMENT], pa.timestamp("us", tz="Europe/Berlin")),
        pa.array([MOMENT.replace(tzinfo=None)], pa.timestamp("us")),
        pa.array([MILLISECONDS]),
        pa.array([MILLISECONDS // 1000]),
        pa.array([MILLISECONDS * 1000]),
        pa.array([date(2024, 12, 31)], pa.date32()),
    ],
    ids=str,
)
def test_open_times_of_every_type_become_milliseconds(tmp_path: Path, times: pa.Array) -> None:
    assert read_bars(parquet(tmp_path, {"ts": times, **PRICES})).open_times_ms.tolist() == [MILLISECONDS]


def test_freqtrades_feather_files_are_read(tmp_path: Path) -> None:
    bars = read_bars(feather(tmp_path, {"date": pa.array([MOMENT], pa.timestamp("ns", tz="UTC")), **PRICES}))

    assert bars.source == "import:freqtrade"
    assert bars.open_times_ms.tolist() == [MILLISECONDS]
    assert bars.values["low"].tolist() == [0.5]
    assert bars.rejections == ()


def test_missing_values_become_nan_and_missing_times_are_refused(tmp_path: Path) -> None:
    columns = {
        "ts": pa.array([MILLISECONDS, None, MILLISECONDS + 60_000]),
        "open": [1, 1, None],
        "high": [2.0] * 3,
        "low": [0.5] * 3,
        "close": [1.5] * 3,
        "volume": [3] * 3,
    }

    bars = read_bars(parquet(tmp_path, columns))

    assert bars.rows.tolist() == [1, 3]
    assert np.isnan(bars.values["open"]).tolist() == [False, True]
    assert [(item.row, item.reason) for item in bars.rejections] == [(2, "open_time_missing")]


def test_other_columns_are_refused_with_what_was_found(tmp_path: Path) -> None:
    path = parquet(tmp_path, {"ts": [MILLISECONDS], "price": [1.0]})

    with pytest.raises(ContractError, match=r"expected a time column .* found ts, price"):
        read_bars(path)


def test_text_where_numbers_belong_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ContractError, match="expected numbers in 'open'"):
        read_bars(parquet(tmp_path, {"ts": [MILLISECONDS], **PRICES, "open": ["high"]}))
    with pytest.raises(ContractError, match="expected times or whole numbers"):
        read_bars(parquet(tmp_path, {"ts": ["now"], **PRICES}))


@pytest.mark.parametrize("keep", [0, 3, 0.5, 0.9])
def test_a_truncated_file_is_refused(tmp_path: Path, keep: float) -> None:
    for path in (
        parquet(tmp_path, {"ts": [MILLISECONDS], **PRICES}),
        feather(tmp_path, {"date": [1], **PRICES}),
    ):
        content = path.read_bytes()
        path.write_bytes(content[: int(keep if keep >= 1 else keep * len(content))])

        with pytest.raises(ContractError, match=r"no complete (Parquet|feather) file"):
            read_bars(path)


def test_a_file_that_is_not_there_or_of_no_known_form(tmp_path: Path) -> None:
    (tmp_path / "candles.xlsx").write_text("[]", encoding="utf-8")

    with pytest.raises(ContractError, match="found nothing at"):
        read_bars(tmp_path / "absent.parquet")
    with pytest.raises(ContractError, match=r"expected a file of candles \(.parquet"):
        read_bars(tmp_path / "candles.xlsx")
    with pytest.raises(ContractError, match="in the folder"):
        read_bars(tmp_path)
