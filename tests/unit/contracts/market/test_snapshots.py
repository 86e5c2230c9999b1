"""Snapshots: the same answer has the same id, and what is read is what was written."""

import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pandas.testing import assert_frame_equal

from quantbus_contracts.bar_arrays import FIELDS, BarArrays
from quantbus_contracts.errors import ArtefactError
from quantbus_contracts.market import MarketQuery, Snapshot, meta_of, save_snapshot
from quantbus_contracts.market.tables import as_arrow, as_pandas, as_polars
from quantbus_contracts.timeframe import Timeframe

BTC, ETH = "BINANCE:BTCUSDT", "BINANCE:ETHUSDT"
NOW = datetime(2025, 1, 1, tzinfo=UTC)
HOUR = Timeframe.parse("1h")
START_MS = 1_704_067_200_000


def query(**changes: Any) -> MarketQuery:
    asked: dict[str, Any] = {"symbols": [BTC, ETH], "start": "20240101", "end": "20240102", "timeframe": "1h"}
    return MarketQuery.of(**(asked | changes))


def parts(count: int = 30, *, close: float = 2.0) -> dict[str, BarArrays]:
    whole = {name: np.arange(count) + 1.5 for name in FIELDS} | {"close": np.full(count, close)}
    bars = BarArrays(START_MS + np.arange(count) * 3_600_000, whole)
    return {BTC: bars, ETH: bars.between(START_MS + 7_200_000, START_MS + 9 * 3_600_000)}


def take(folder: Path, **changes: Any) -> Snapshot:
    return save_snapshot(query(), parts(**changes), folder, now=NOW)


def test_the_same_answer_has_the_same_id_and_is_written_once(tmp_path: Path) -> None:
    first = take(tmp_path)
    before = {file: file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*"))}
    again = save_snapshot(query(), parts(), tmp_path, now=datetime(2026, 1, 1, tzinfo=UTC))
    assert again == first
    assert {file: file.stat().st_mtime_ns for file in sorted(tmp_path.rglob("*"))} == before
    assert take(tmp_path / "elsewhere").snapshot_id == first.snapshot_id
    assert meta_of(query(), parts()).snapshot_id == first.snapshot_id


@pytest.mark.parametrize(
    "other",
    [
        meta_of(query(), parts(close=2.0000000000000004)),
        meta_of(query(), parts(29)),
        meta_of(query(end="20240103"), parts()),
        meta_of(query(fields=["close"]), parts()),
        meta_of(query(fields=list(reversed(FIELDS))), parts()),
        meta_of(query(made_from="1m"), parts()),
        meta_of(query(), {BTC: parts()[ETH], ETH: parts()[BTC]}),
    ],
)
def test_another_question_or_another_answer_has_another_id(other: Any) -> None:
    assert other.snapshot_id != meta_of(query(), parts()).snapshot_id


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    held = take(tmp_path)
    found = Snapshot.open(tmp_path / held.snapshot_id)
    found.verify()
    assert_frame_equal(found.table(), as_pandas(parts(), FIELDS, HOUR))
    assert found.table("arrow").to_pylist() == as_arrow(parts(), FIELDS).to_pylist()
    assert found.table("polars").equals(as_polars(parts(), FIELDS))


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(-1e18, 1e18), max_size=40), st.integers(0, 40))
def test_any_numbers_come_back_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, values: Any, cut: int
) -> None:
    whole = BarArrays(np.arange(len(values)) * 3_600_000, {"close": np.array(values, dtype=np.float64)})
    answer = {BTC: whole.between(0, cut * 3_600_000), ETH: whole}
    asked = query(fields="close")
    held = save_snapshot(asked, answer, tmp_path_factory.getbasetemp() / "snapshots", now=NOW)
    found = held.table()
    assert (
        found["close"].to_numpy().tobytes()
        == as_pandas(answer, ["close"], HOUR)["close"].to_numpy().tobytes()
    )
    held.verify()


def test_an_empty_answer_is_typed_too(tmp_path: Path) -> None:
    nothing = {symbol: BarArrays.empty(FIELDS) for symbol in (BTC, ETH)}
    held = save_snapshot(query(), nothing, tmp_path, now=NOW)
    assert held.meta.rows == 0
    assert_frame_equal(held.table(), as_pandas(nothing, FIELDS, HOUR))
    held.verify()


def test_the_meta_file_tells_rows_ranges_hashes_and_what_is_missing(tmp_path: Path) -> None:
    meta = take(tmp_path).meta
    assert meta.rows == 37
    assert meta.symbols[BTC].model_dump() == {
        "rows": 30,
        "first_open_time": "2024-01-01T00:00:00.000+00:00",
        "last_open_time": "2024-01-02T05:00:00.000+00:00",
        "expected": 30,
        "missing_share": 0.0,
    }
    assert meta.symbols[ETH].missing_share == pytest.approx(23 / 30)
    assert meta.missing_share == pytest.approx(23 / 60)
    assert (meta.fields["open"].least, meta.fields["open"].greatest) == (1.5, 30.5)
    assert len({field.sha256 for field in meta.fields.values()}) == 2  # close differs from the four others
    assert meta.query == query().as_dict()


@pytest.mark.parametrize("harm", ["flip", "cut", "gone", "other"])
def test_a_damaged_snapshot_is_refused_and_can_be_taken_again(tmp_path: Path, harm: str) -> None:
    held = take(tmp_path)
    file = held.folder / "bars.parquet"
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    match harm:
        case "flip":
            file.write_bytes(content)
        case "cut":
            file.write_bytes(file.read_bytes()[:-10])
        case "gone":
            file.unlink()
        case "other":
            file.write_bytes((take(tmp_path, close=9.0).folder / "bars.parquet").read_bytes())
    with pytest.raises(ArtefactError, match="take"):
        Snapshot.open(held.folder).table()
    assert_frame_equal(take(tmp_path).table(), as_pandas(parts(), FIELDS, HOUR))
    assert sorted(path.name for path in tmp_path.iterdir() if path.name.startswith(".")) == []


@pytest.mark.parametrize("content", ["", "{}", "{", '{"snapshot_id": 1}'])
def test_a_snapshot_whose_meta_cannot_be_read_is_refused(tmp_path: Path, content: str) -> None:
    held = take(tmp_path)
    (held.folder / "snapshot.json").write_text(content)
    with pytest.raises(ArtefactError, match="cannot read the snapshot"):
        Snapshot.open(held.folder)


def test_a_meta_file_that_was_changed_is_found_by_verifying(tmp_path: Path) -> None:
    held = take(tmp_path)
    file = held.folder / "snapshot.json"
    file.write_text(file.read_text().replace('"1h"', '"4h"'))
    with pytest.raises(ArtefactError, match="expected the snapshot"):
        Snapshot.open(held.folder).verify()


DIES = """
import os, signal, sys
from pathlib import Path
from quantbus_contracts.market import snapshots
from tests.unit.contracts.market.test_snapshots import take

def dying(real):
    def call(*args, **kwargs):
        global left
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        left -= 1
        return real(*args, **kwargs)
    return call

for step in range(30):
    child = os.fork()
    if child == 0:
        left = step
        for owner, name in ((os, "fsync"), (Path, "rename"), (Path, "open"), (snapshots.tempfile, "mkdtemp")):
            setattr(owner, name, dying(getattr(owner, name)))
        take(Path(sys.argv[1]) / str(step))
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    sys.stdout.write(f"{code} ")
    if code == 0:
        break
"""


def test_a_process_that_is_killed_leaves_all_of_a_snapshot_or_none(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", DIES, tmp_path], check=True, capture_output=True, text=True)
    *killed, last = (int(code) for code in done.stdout.split())
    assert (set(killed), last) == ({-signal.SIGKILL}, 0)
    assert len(killed) >= 7  # two files, three syncs, one move, one place to work in
    identity = meta_of(query(), parts()).snapshot_id
    for step in range(len(killed) + 1):
        folder = tmp_path / str(step)
        if (folder / identity).exists():
            Snapshot.open(folder / identity).verify()
        assert take(folder).snapshot_id == identity


def test_it_is_a_parquet_file_like_any_other(tmp_path: Path) -> None:
    frame = pd.read_parquet(take(tmp_path).folder / "bars.parquet")
    assert list(frame.columns) == ["symbol", "datetime", *FIELDS]
    assert str(frame["datetime"].dtype) == "datetime64[ms, UTC]"
