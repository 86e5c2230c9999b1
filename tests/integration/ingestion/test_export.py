"""Bars from a real MongoDB into files, and back."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.frames import candle_frame
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.ingestion.files import read_bars
from quantbus_services.ingestion.transfer.export_main import run_export
from quantbus_services.ingestion.transfer.exporter import ExportReport, Form
from tests.integration.ingestion.running import ingest
from tests.integration.ingestion.test_import import BEGIN, FAR, MINUTE, imported, parquet, totals

pytestmark = pytest.mark.integration


def exported(
    settings: MongoSettings, folder: Path, symbols: str, form: Form = Form.FREQTRADE, **bounds: str | None
) -> list[ExportReport]:
    chosen: dict[str, str | None] = {"since": None, "until": None, **bounds}
    return run_export(
        symbols.split(","), ["1m"], "binance", folder, form, settings, on_series=lambda *_: None, **chosen
    )


@pytest.fixture
def with_bars(mongo_settings: MongoSettings, connection: Connection, tmp_path: Path) -> MongoSettings:
    files = tmp_path / "in"
    files.mkdir()
    parquet(files, 500)
    parquet(files, 300, "BINANCE_ETHUSDT_1m_PERP.parquet")
    for report in imported(mongo_settings, files):
        assert not report.error, report.error
    return mongo_settings


def test_freqtrades_folder_gets_its_own_names_for_spot_and_futures(
    with_bars: MongoSettings, tmp_path: Path
) -> None:
    reports = exported(with_bars, tmp_path / "data", "BTC/USDT,ETH/USDT:USDT")
    assert [(report.path.relative_to(tmp_path / "data").as_posix(), report.bars) for report in reports] == [
        ("BTC_USDT-1m.feather", 500),
        ("futures/ETH_USDT_USDT-1m-futures.feather", 300),
    ]


@pytest.mark.parametrize("form", Form)
def test_what_is_exported_and_imported_again_is_the_same_to_the_last_bit(
    with_bars: MongoSettings, tmp_path: Path, form: Form
) -> None:
    exported(with_bars, tmp_path / "out", "BTC/USDT,ETH/USDT:USDT", form)
    for report in imported(with_bars, tmp_path / "out", venue="binance"):
        assert not report.error, report.error
        assert totals(report)[:2] == (0, 0), "a bar differs from the one it was made of"
        assert totals(report)[2] in (300, 500)


def test_a_file_keeps_its_bars_outside_of_the_range(with_bars: MongoSettings, tmp_path: Path) -> None:
    [whole] = exported(with_bars, tmp_path, "BTC/USDT")
    before = whole.path.read_bytes()
    middle: dict[str, Any] = {
        "since": (BEGIN + timedelta(minutes=100)).isoformat(),
        "until": (BEGIN + timedelta(minutes=200)).isoformat(),
    }
    [part] = exported(with_bars, tmp_path, "BTC/USDT", **middle)
    assert (part.bars, part.kept) == (100, 400)
    assert part.path.read_bytes() == before, "the same bars, so the same file"


def test_a_series_without_bars_makes_no_file(with_bars: MongoSettings, tmp_path: Path) -> None:
    [report] = exported(with_bars, tmp_path / "none", "BTC/USDT", since="2030-01-01", until="2030-02-01")
    assert report.error
    assert not (tmp_path / "none").exists()


def test_a_damaged_file_in_the_place_is_left_alone(with_bars: MongoSettings, tmp_path: Path) -> None:
    place = tmp_path / "BTC_USDT-1m.feather"
    place.write_bytes(b"not a feather")
    [report] = exported(with_bars, tmp_path, "BTC/USDT")
    assert "move the file away" in report.error
    assert place.read_bytes() == b"not a feather"


def test_freqtrade_itself_reads_what_was_exported(
    with_bars: MongoSettings, connection: Connection, tmp_path: Path
) -> None:
    history = pytest.importorskip("freqtrade.data.history.datahandlers", reason="needs the extra `bot`")
    from freqtrade.enums import CandleType

    exported(with_bars, tmp_path, "BTC/USDT,ETH/USDT:USDT")
    handler = history.get_datahandler(tmp_path, "feather")
    for pair, symbol, kind in (
        ("BTC/USDT", "BINANCE:BTCUSDT", CandleType.SPOT),
        ("ETH/USDT:USDT", "BINANCE:ETHUSDT.P", CandleType.FUTURES),
    ):
        read = handler.ohlcv_load(pair, "1m", kind, fill_missing=False, drop_incomplete=False)
        ours = candle_frame(CandleReader(connection), [symbol], MINUTE, BEGIN, FAR).loc[symbol]
        assert str(read["date"].dt.tz) == "UTC"
        assert (pd.DatetimeIndex(read["date"]).as_unit("ms") == ours.index).all()
        np.testing.assert_array_equal(read[list(ours.columns)].to_numpy(), ours.to_numpy())


def test_the_command_says_what_it_wrote_and_fails_where_a_series_has_no_bars(
    with_bars: MongoSettings, tmp_path: Path
) -> None:
    done = ingest(with_bars, tmp_path, "export", str(tmp_path / "x"), "--symbols", "BTC/USDT", "--json")
    assert done.returncode == 0, done.stderr
    [told] = json.loads(done.stdout)["files"]
    assert (told["symbol"], told["bars"]) == ("BINANCE:BTCUSDT", 500)
    assert len(read_bars(Path(told["path"]))) == 500
    none = ingest(
        with_bars,
        tmp_path,
        "export",
        str(tmp_path / "x"),
        "--symbols",
        "BTC/USDT",
        "--since",
        "2030-01-01",
        "--until",
        "2031-01-01",
    )
    assert none.returncode == 1
    bad = ingest(with_bars, tmp_path, "export", str(tmp_path / "x"), "--symbols", "BTC/USDT", "--to", "xlsx")
    assert bad.returncode == 2
    assert "expected --to freqtrade" in bad.stderr
