from datetime import timedelta
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import load_settings
from quantbus_services.paper_exchange.market import Market
from quantbus_services.paper_exchange.settings import PaperSettings, parse_duration
from quantbus_services.paper_exchange.sources import open_sources
from tests.unit.services.paper_exchange.recordings import DAY, MINUTE, START, recording, write_parquet

NOW = START + 500 * DAY + 17 * 3_600_000 + 1234


def test_without_data_the_bars_are_made_up() -> None:
    source, _ = open_sources(PaperSettings(), NOW)
    assert source.kind == "SYNTHETIC"
    assert list(source.listings) == ["BTCUSDT", "ETHUSDT"]


def test_any_pair_can_be_made_up() -> None:
    assert list(open_sources(PaperSettings(symbols="SOL/USDC"), NOW)[0].listings) == ["SOLUSDC"]


def test_files_are_replayed_so_that_the_newest_closed_bar_is_now(tmp_path: Path) -> None:
    bars = recording(5 * 1440)
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", bars)
    source, _ = open_sources(PaperSettings(data=(tmp_path,)), NOW)
    market = Market(source)
    assert source.kind == "recorded"
    assert source.shift_ms % DAY == 0
    closed = market.last_closed("BTCUSDT", NOW)
    assert closed.open_time == NOW // MINUTE * MINUTE - MINUTE
    original = bars.between(closed.open_time - source.shift_ms, closed.open_time - source.shift_ms + 1).bar(0)
    assert (closed.open, closed.high, closed.low, closed.close) == (
        original.open,
        original.high,
        original.low,
        original.close,
    )
    assert NOW - source.span("BTCUSDT").start_ms >= 2 * DAY


def test_history_can_be_asked_for(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(5 * 1440))
    with pytest.raises(ConfigError, match="--history"):
        open_sources(PaperSettings(data=(tmp_path,), history=timedelta(days=5)), NOW)
    source, _ = open_sources(PaperSettings(data=(tmp_path,), history=timedelta(hours=5)), NOW)
    assert NOW - source.span("BTCUSDT").start_ms < 30 * 3_600_000


def test_two_sources_at_once_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="either --data or --from-bus"):
        open_sources(PaperSettings(data=(tmp_path,), from_bus=True), NOW)


def test_made_up_bars_have_one_timeframe() -> None:
    with pytest.raises(ConfigError, match="--timeframe"):
        open_sources(PaperSettings(timeframe="5m"), NOW)


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("QUANTBUS_PAPER_DATA", f"{tmp_path}:/other")
    monkeypatch.setenv("QUANTBUS_PAPER_QUOTES", "USDT,EUR")
    monkeypatch.setenv("QUANTBUS_PAPER_HISTORY", "36h")
    settings = load_settings(PaperSettings, port=0)
    assert settings.data == (tmp_path, Path("/other"))
    assert settings.quotes == ("USDT", "EUR")
    assert settings.history == timedelta(hours=36)


@pytest.mark.parametrize("text", ["", "2", "d", "0d", "-1h", "2 days", "1.5h"])
def test_a_duration_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="90m, 36h or 2d"):
        parse_duration(text)
