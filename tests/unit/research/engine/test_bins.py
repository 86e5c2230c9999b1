"""Qlib data made of panels: what is written, how it is named, what is refused."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.engine import BinStore, export_bins, frequency_of, timeframe_of
from quantbus_research.evaluation import bars_per_year
from tests.unit.research.panels import BTC, ETH, make_panel, make_series, panel_of

NOW = datetime(2026, 1, 10, tzinfo=UTC)
HOUR = Timeframe.parse("1h")
CODES = {BTC: "BTC_USDT", ETH: "ETH_USDT"}


def export(panel: pd.DataFrame, folder: Path) -> BinStore:
    return export_bins({HOUR: panel}, CODES, folder, source="a test", now=NOW)


def values(store: BinStore, code: str, field: str) -> "np.ndarray[tuple[int], np.dtype[np.float32]]":
    return np.fromfile(store.folder / "features" / code / f"{field}.60min.bin", "<f4")


@pytest.mark.parametrize(
    ("name", "frequency"),
    [("1m", "1min"), ("15m", "15min"), ("1h", "60min"), ("4h", "240min"), ("1d", "day")],
)
def test_a_frequency_reads_back(name: str, frequency: str) -> None:
    timeframe = Timeframe.parse(name)
    assert frequency_of(timeframe) == frequency
    assert timeframe_of(frequency) == timeframe


@pytest.mark.parametrize("frequency", ["1h", "week", "7min", "", "min", "1440min"])
def test_a_frequency_that_is_none_of_ours_is_refused(frequency: str) -> None:
    with pytest.raises(ConfigError, match="60min"):
        timeframe_of(frequency)


def test_a_year_has_all_its_hours() -> None:
    assert bars_per_year(HOUR) == 8760
    assert bars_per_year(Timeframe.parse("1d")) == 365


def test_values_stand_behind_the_place_of_their_first_bar(tmp_path: Path) -> None:
    btc = make_series(10, seed=1, timeframe=HOUR)
    panel = panel_of(BTC=btc, ETH=make_series(10, seed=2, timeframe=HOUR).iloc[3:])
    store = export(panel, tmp_path)
    found = values(store, "eth_usdt", "close")
    assert found[0] == 3.0
    assert np.allclose(found[1:], panel.xs(ETH)["close"], rtol=1e-7)
    assert len((store.folder / "calendars" / "60min.txt").read_text().split()) == 20  # date and time


def test_a_missing_bar_is_a_hole_and_moves_nothing(tmp_path: Path) -> None:
    btc = make_series(6, seed=1, timeframe=HOUR)
    store = export(panel_of(BTC=btc.drop(btc.index[2])), tmp_path)
    found = values(store, "btc_usdt", "close")[1:]
    assert np.isnan(found).tolist() == [False, False, True, False, False, False]
    assert store.manifest.frequencies["60min"].missing == {"BTC_USDT": 1}
    changed = values(store, "btc_usdt", "change")[1:]
    assert np.isclose(changed[1], btc["close"].iloc[1] / btc["close"].iloc[0] - 1, rtol=1e-4)


def test_further_columns_become_fields(tmp_path: Path) -> None:
    panel = make_panel(5, timeframe=HOUR).assign(funding=0.25)
    assert values(export(panel, tmp_path), "btc_usdt", "funding")[1:].tolist() == [0.25] * 5


def test_the_same_bars_give_the_same_store_and_others_another(tmp_path: Path) -> None:
    panel = make_panel(20, timeframe=HOUR)
    first = export(panel, tmp_path)
    stamp = (first.folder / "manifest.json").stat().st_mtime_ns
    assert export(panel, tmp_path).folder == first.folder
    assert (first.folder / "manifest.json").stat().st_mtime_ns == stamp
    assert export(panel.assign(close=panel["close"] * 1.0001), tmp_path).folder != first.folder


def test_a_damaged_store_is_noticed_and_made_again(tmp_path: Path) -> None:
    panel = make_panel(20, timeframe=HOUR)
    store = export(panel, tmp_path)
    victim = store.folder / "features" / "btc_usdt" / "close.60min.bin"
    victim.write_bytes(b"\0" * 84)
    with pytest.raises(ArtefactError, match=r"close\.60min\.bin"):
        store.verify()
    export(panel, tmp_path).verify()
    assert not list(tmp_path.glob(".draft-*"))


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="research convert"):
        BinStore.open(tmp_path)


@pytest.mark.parametrize(
    ("panel", "codes", "message"),
    [
        (make_panel(5, timeframe=HOUR).iloc[:0], CODES, "found none"),
        (make_panel(5, timeframe=HOUR), {BTC: "BTC_USDT"}, ETH),
        (make_panel(5, timeframe=HOUR), {BTC: "X", ETH: "x"}, "twice"),
        (make_panel(5, timeframe=HOUR).assign(factor=1.0), CODES, "factor"),
    ],
)
def test_what_cannot_be_written_is_refused_before_anything_is(
    panel: pd.DataFrame, codes: dict[str, str], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=message):
        export_bins({HOUR: panel}, codes, tmp_path / "bins", source="a test", now=NOW)
    assert not (tmp_path / "bins").exists()
