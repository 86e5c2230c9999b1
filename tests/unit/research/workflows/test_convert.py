"""Bars of Freqtrade's files, or of anywhere, become Qlib data."""

import json
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.ipc
import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.cli import app
from quantbus_research.dataset.freqtrade_files import feather_path, load_freqtrade
from quantbus_research.workflows import convert, from_freqtrade
from tests.unit.research.panels import make_series

HOUR = Timeframe.parse("1h")
NOW = datetime(2026, 2, 1, tzinfo=UTC)
BTC, SWAP = Instrument.from_pair("BINANCE", "BTC/USDT"), Instrument.from_pair("BINANCE", "ETH/USDT:USDT")


def keep(folder: Path, instrument: Instrument, candles: pd.DataFrame) -> Path:
    """Write candles as Freqtrade does."""
    path = feather_path(folder, instrument, HOUR)
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pandas(candles.rename_axis("date").reset_index(), preserve_index=False)
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_file(file, table.schema) as writer:
        writer.write_table(table)
    return path


def test_freqtrades_files_are_found_by_its_own_names(tmp_path: Path) -> None:
    assert feather_path(tmp_path, BTC, HOUR) == tmp_path / "BTC_USDT-1h.feather"
    assert feather_path(tmp_path, SWAP, HOUR) == tmp_path / "futures" / "ETH_USDT_USDT-1h-futures.feather"


def test_freqtrades_candles_become_a_panel_and_qlib_data(tmp_path: Path) -> None:
    candles = make_series(50, timeframe=HOUR)
    for instrument in (BTC, SWAP):
        keep(tmp_path / "data", instrument, candles)
    panel = load_freqtrade(tmp_path / "data", [BTC, SWAP], HOUR)
    pd.testing.assert_frame_equal(panel.droplevel(0).iloc[:50], candles, check_freq=False)
    store = convert(
        from_freqtrade(tmp_path / "data", [BTC, SWAP]),
        [BTC, SWAP],
        [HOUR],
        tmp_path / "qlib",
        source="f",
        now=NOW,
    )
    assert store.manifest.codes == {"BINANCE:BTCUSDT": "BTC_USDT", "BINANCE:ETHUSDT.P": "ETH_USDT_USDT"}
    assert store.manifest.frequencies["60min"].bars == {"BTC_USDT": 50, "ETH_USDT_USDT": 50}


def test_days_are_made_where_they_are_not_asked_for(tmp_path: Path) -> None:
    candles = make_series(60, timeframe=HOUR)
    keep(tmp_path, BTC, candles)
    store = convert(from_freqtrade(tmp_path, [BTC]), [BTC], [HOUR], tmp_path / "qlib", source="f", now=NOW)
    days = np.fromfile(store.folder / "features" / "btc_usdt" / "high.day.bin", "<f4")[1:]
    assert np.allclose(days, candles["high"].resample("1D").max(), rtol=1e-7)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda candles: candles.iloc[:0], "no candles"),
        (lambda candles: candles.iloc[::-1], "out of order"),
        (lambda candles: pd.concat([candles, candles.iloc[-1:]]), "twice"),
        (lambda candles: candles.shift(freq="7min"), "1h bars"),
        (lambda candles: candles.assign(close=np.nan), "finite"),
        (lambda candles: candles.assign(high=candles["low"] / 2), "high below a low"),
    ],
)
def test_candles_that_cannot_be_are_refused(spoil: object, message: str, tmp_path: Path) -> None:
    assert callable(spoil)
    keep(tmp_path, BTC, spoil(make_series(5, timeframe=HOUR)))
    with pytest.raises(ConfigError, match=message):
        load_freqtrade(tmp_path, [BTC], HOUR)


def test_a_file_that_is_missing_or_broken_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="freqtrade download-data"):
        load_freqtrade(tmp_path, [BTC], HOUR)
    feather_path(tmp_path, BTC, HOUR).write_bytes(b"no feather")
    with pytest.raises(ConfigError, match="cannot be read"):
        load_freqtrade(tmp_path, [BTC], HOUR)


def test_an_instrument_without_bars_is_refused(tmp_path: Path) -> None:
    keep(tmp_path, BTC, make_series(5, timeframe=HOUR))
    with pytest.raises(ConfigError, match=r"found none of BINANCE:ETHUSDT\.P"):
        convert(from_freqtrade(tmp_path, [BTC]), [BTC, SWAP], [HOUR], tmp_path / "qlib", source="f", now=NOW)


def test_the_command_converts_and_tells_its_manifest(tmp_path: Path) -> None:
    keep(tmp_path / "data", BTC, make_series(30, timeframe=HOUR))
    arguments = [
        "convert",
        "--pairs",
        "BTC/USDT",
        "--from-freqtrade",
        str(tmp_path / "data"),
        "--out",
        str(tmp_path),
    ]
    told = CliRunner().invoke(app, [*arguments, "--json"])
    assert told.exit_code == 0, told.output
    manifest = json.loads(told.stdout)
    assert Path(manifest["folder"], "manifest.json").is_file()
    shown = CliRunner().invoke(app, arguments)
    assert "60min" in shown.stdout
    assert "benchmarks" in shown.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--pairs", " , "], "--pairs"),
        (["--pairs", "BTC/USDT", "--start", "2024-01-01"], "--start and --end"),
        (
            ["--pairs", "BTC/USDT", "--start", "2024-01-01", "--end", "2024-01-02", "--from-freqtrade", "x"],
            "without",
        ),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments: list[str], message: str) -> None:
    refused = CliRunner().invoke(app, ["convert", *arguments])
    assert isinstance(refused.exception, ConfigError)
    assert message in str(refused.exception)
