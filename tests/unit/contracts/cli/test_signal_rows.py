"""Signals as flat rows and files of them."""

import io
import json
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyarrow import parquet

from quantbus_contracts.bus.rows import Given, check_rows
from quantbus_contracts.cli.signal_files import Format, read_rows
from quantbus_contracts.cli.signal_rows import columns, flat, write_rows
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import make_signal

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
END = NOON + timedelta(minutes=3)


def make_published(**given: object) -> PublishedSignal:
    return PublishedSignal(
        signal=make_signal(**given), version=2, available_at=NOON, valid_until=END, published_by="tester"
    )


SIGNALS = [
    make_published(score=0.5, note='comma, "quote"\nand newline', computed_at=NOON),
    make_published(pair="ETH/USDT", action=None, weight=-0.25, valid_until=END, ref_price=0.1 + 0.2),
]


def test_a_flat_row_tells_the_end_that_counts_and_whose_it_is() -> None:
    first, second = (flat(item) for item in SIGNALS)
    assert (first["valid_until"], first["valid_until_defaulted"]) == ("2026-01-05T12:03:00Z", True)
    assert second["valid_until_defaulted"] is False
    assert tuple(first) == columns()
    assert flat(SIGNALS[0], as_given=True)["valid_until"] is None


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet"])
def test_what_was_given_reads_back_as_the_same_signals(tmp_path: Path, form: Format) -> None:
    path = tmp_path / f"signals.{form}"
    rows = (flat(item, as_given=True, as_json=form != "parquet") for item in SIGNALS)
    assert write_rows(rows, columns(as_given=True), form, path) == 2
    checked = check_rows([row.row for row in read_rows(str(path))], Given(), {})
    assert checked.signals == [item.signal for item in SIGNALS], checked.rejections
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_parquet_has_the_same_types_whatever_stands_in_it(tmp_path: Path) -> None:
    full, empty = tmp_path / "full.parquet", tmp_path / "empty.parquet"
    write_rows((flat(item, as_json=False) for item in SIGNALS), columns(), "parquet", full)
    assert write_rows(iter([]), columns(), "parquet", empty) == 0
    assert parquet.read_schema(full) == parquet.read_schema(empty)
    assert str(parquet.read_schema(full).field("ts").type) == "timestamp[ms, tz=UTC]"


@pytest.mark.parametrize("form", ["json", "jsonl", "csv", "parquet"])
def test_a_file_that_breaks_off_leaves_what_was_there(tmp_path: Path, form: Format) -> None:
    path = tmp_path / "signals.out"
    path.write_text("former")

    def broken() -> object:
        yield flat(SIGNALS[0], as_json=form != "parquet")
        raise RuntimeError("the bus went away")

    with pytest.raises(RuntimeError):
        write_rows(broken(), columns(), form, path)  # type: ignore[arg-type]
    assert path.read_text() == "former"
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_parquet_goes_through_a_pipe(monkeypatch: pytest.MonkeyPatch) -> None:
    class Pipe(io.BytesIO):
        def seekable(self) -> bool:
            return False

        def tell(self) -> int:
            raise OSError("a pipe has no position")

    pipe = Pipe()
    monkeypatch.setattr(sys, "stdout", SimpleNamespace(buffer=pipe))
    write_rows((flat(item, as_json=False) for item in SIGNALS), columns(), "parquet", None)
    assert parquet.read_table(io.BytesIO(pipe.getvalue())).num_rows == 2


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="nowhere"):
        write_rows(iter([]), columns(), "csv", tmp_path / "nowhere" / "signals.csv")


def test_an_empty_json_list_is_a_list(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert write_rows(iter([]), columns(), "json", None) == 0
    assert json.load(io.BytesIO(capfdbinary.readouterr().out)) == []
