"""Rows out of files: what is read, what is one bad row among good ones, and what is no file of rows."""

import io
import json
import sys
from pathlib import Path
from typing import Any

import pyarrow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from quantbus_contracts.bus.rows import Given, check_rows
from quantbus_contracts.cli import signal_files
from quantbus_contracts.cli.signal_files import InputRow, read_rows
from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.testing import make_signal

GOOD = make_signal(score=0.5).model_dump(mode="json", exclude_none=True)


def written(folder: Path, name: str, content: str | bytes) -> str:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return str(path)


def on_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def parquet_of(*rows: dict[str, Any]) -> bytes:
    target = io.BytesIO()
    parquet.write_table(pyarrow.Table.from_pylist(list(rows)), target)
    return target.getvalue()


CSV = ",".join(GOOD) + "\n" + ",".join(str(value) for value in GOOD.values()) + "\n"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps([GOOD])),
        ("one.json", json.dumps(GOOD)),
        ("a.jsonl", json.dumps(GOOD) + "\n\n"),
        ("a.ndjson", json.dumps(GOOD)),
        ("bom.json", b"\xef\xbb\xbf" + json.dumps([GOOD]).encode()),
        ("a.csv", CSV),
        ("windows.csv", "\ufeff" + CSV.replace("\n", "\r\n")),
        ("semicolons.csv", CSV.replace(",", ";")),
        ("a.parquet", parquet_of(GOOD)),
    ],
)
def test_every_format_gives_the_same_signal(tmp_path: Path, name: str, content: str | bytes) -> None:
    rows = read_rows(written(tmp_path, name, content))
    checked = check_rows([row.row for row in rows], Given(), {})
    assert checked.signals == [make_signal(score=0.5)], checked.rejections


@pytest.mark.parametrize(
    "content",
    [
        json.dumps([GOOD]).encode(),
        json.dumps(GOOD).encode(),
        json.dumps(GOOD, indent=2).encode(),
        b"\n\n" + json.dumps(GOOD).encode() + b"\n",
        CSV.encode(),
        parquet_of(GOOD),
    ],
    ids=["list", "lines", "one object", "space before", "csv", "parquet"],
)
def test_the_format_of_standard_input_is_told_by_how_it_begins(
    monkeypatch: pytest.MonkeyPatch, content: bytes
) -> None:
    on_stdin(monkeypatch, content)
    assert [dict(row.row)["pair"] for row in read_rows("-")] == ["BTC/USDT"]  # type: ignore[call-overload]


def test_a_bad_line_is_one_bad_row_with_its_place(tmp_path: Path) -> None:
    lines = [
        json.dumps(GOOD).encode(),
        b'{"pair": "BTC/U',
        b"\xff\xfe",
        b'{"a":' * 5_000,
        b"[" + b"1" * 5_000 + b"]",
        b'{"score": 1, "score": 2}',
        b'{"note": "' + b"x" * signal_files.LONGEST_LINE_BYTES + b'"}',
        json.dumps(GOOD).encode(),
    ]
    rows = read_rows(written(tmp_path, "a.jsonl", b"\n".join(lines)))
    assert [row.place for row in rows if row.fault] == [f"line {number}" for number in range(2, 8)]
    assert "stands twice" in rows[5].fault
    assert "1 MiB" in rows[6].fault
    checked = check_rows([row.row for row in rows], Given(), {})
    assert (len(checked.signals), [item.row for item in checked.rejections]) == (2, [1, 2, 3, 4, 5, 6])


def test_cells_without_a_value_say_nothing_and_too_many_cells_are_a_fault(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path, "a.csv", "pair,score,note\nBTC/USDT,,\nETH/USDT,0.5,x,y\nSOL/USDT\n"))
    assert rows[0] == InputRow("line 2", {"pair": "BTC/USDT"})
    assert (rows[1].place, "more" in rows[1].fault) == ("line 3", True)
    assert rows[2].row == {"pair": "SOL/USDT"}


def test_what_parquet_keeps_as_null_says_nothing(tmp_path: Path) -> None:
    rows = read_rows(written(tmp_path, "a.parquet", parquet_of(GOOD, {"pair": "ETH/USDT"})))
    assert rows[1].row == {"pair": "ETH/USDT"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", '[{"pair": "BTC/U'),
        ("a.json", ""),
        ("a.json", "7"),
        ("a.json", '"text"'),
        ("a.json", "[" * 100_000),
        ("a.json", b"\xff\xfe\x00"),
        ("a.json", '[{"score": 1, "score": 2}]'),
        ("a.csv", ""),
        ("a.csv", "BTC/USDT,0.5\nETH/USDT,0.4\n"),
        ("a.csv", b"pair,score\n\xff\xfe,1\n"),
        ("a.csv", "pair,note\nBTC/USDT," + "x" * 200_000 + "\n"),
        ("a.csv", 'pair,note\nBTC/USDT,"never closed\n'),
        ("a.parquet", b"PAR1 but no more than that"),
        ("a.parquet", b""),
    ],
)
def test_a_file_that_is_not_of_its_format_is_refused_as_a_whole(
    tmp_path: Path, name: str, content: str | bytes
) -> None:
    with pytest.raises(ContractError, match="expected"):
        read_rows(written(tmp_path, name, content))


@pytest.mark.parametrize("content", ["[]", "\n \n", "pair,score\n"])
def test_no_rows_are_no_error(tmp_path: Path, content: str) -> None:
    name = {"[": "a.json", "\n": "a.jsonl", "p": "a.csv"}[content[0]]
    assert read_rows(written(tmp_path, name, content)) == []


def test_nothing_on_standard_input_is_an_error_unless_the_format_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    on_stdin(monkeypatch, b" \n")
    with pytest.raises(ContractError, match="found nothing"):
        read_rows("-")
    on_stdin(monkeypatch, b"")
    assert read_rows("-", "jsonl") == []


def test_files_that_cannot_be_opened_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"absent\.csv"):
        read_rows(str(tmp_path / "absent.csv"))
    with pytest.raises(ConfigError, match="--format"):
        read_rows(str(tmp_path / "signals.xlsx"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ConfigError, match="directory"):
        read_rows(str(tmp_path / "folder.csv"))


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_files, "MOST_BYTES", 100)
    with pytest.raises(ContractError, match="split it"):
        read_rows(written(tmp_path, "a.jsonl", "x" * 101))


@given(content=st.binary(max_size=300), form=st.sampled_from(["json", "jsonl", "csv", "parquet"]))
def test_no_bytes_do_anything_but_give_rows_or_be_refused(content: bytes, form: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        on_stdin(patch, content)
        try:
            rows = read_rows("-", form)
        except ContractError:
            return
    checked = check_rows([row.row for row in rows], Given(), {})
    assert len(checked.signals) + len(checked.rejections) == len(rows)
