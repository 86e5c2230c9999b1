"""A name that nothing reads ends the start, whatever starts and wherever the name stands."""

import subprocess
import sys
from pathlib import Path

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import (
    BOT_NAMES,
    HomeSettings,
    MongoSettings,
    ProcessSettings,
    check_environment,
    load_options,
    load_settings,
)
from quantbus_executor.settings import ENVIRONMENT_NAMES, ExecutorSettings
from quantbus_services.account.settings import AccountSettings
from quantbus_services.gateway.settings import GatewaySettings
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.monitor.settings import MonitorSettings
from quantbus_services.paper_exchange.settings import PaperSettings

KINDS = [
    HomeSettings,
    MongoSettings,
    AccountSettings,
    GatewaySettings,
    IngestionSettings,
    MonitorSettings,
    PaperSettings,
]
MISSPELT = [
    ("QUANTBUS_MONGO_URL", "QUANTBUS_MONGO_URI"),
    ("quantbus_mongo_url", "QUANTBUS_MONGO_URI"),
    ("EXT_SIG_CONSUMERID", "EXT_SIG_CONSUMER_ID"),
    ("QUANTBUS_MONITOR_INTERVAL", "QUANTBUS_MONITOR_INTERVAL_SECONDS"),
]


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "near"), MISSPELT)
def test_every_process_refuses_a_misspelt_name(
    kind: type[ProcessSettings], name: str, near: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    load_settings(kind)
    monkeypatch.setenv(name, "x")
    with pytest.raises(ConfigError, match=rf"{name} \(did you mean {near}\?\)"):
        load_settings(kind)


def test_a_misspelt_name_in_the_file_is_refused_too(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("QUANTBUS_LOG_LEVEL=info\nSTACK_PAIRS=BTC/USDT\n")
    assert load_settings(HomeSettings).log_level == "info"
    (tmp_path / ".env").write_text("QUANTBUS_LOGLEVEL=info\n")
    with pytest.raises(ConfigError, match=r"QUANTBUS_LOGLEVEL \(did you mean QUANTBUS_LOG_LEVEL\?\)"):
        load_settings(HomeSettings)


def test_a_notebook_refuses_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBUS_MONGO_URL", "x")
    with pytest.raises(ConfigError, match="QUANTBUS_MONGO_URL"):
        SignalBus.from_env()


def test_the_bot_refuses_it_and_its_names_stand_in_the_one_list() -> None:
    config = {"timeframe": "1m", "external_signal": {"strategy_id": "s", "consumer_id": "c"}}
    for name, near in MISSPELT:
        with pytest.raises(ConfigError, match=near):
            ExecutorSettings.load(config, {name: "x"})
    assert set(ENVIRONMENT_NAMES) == set(BOT_NAMES)


@pytest.mark.parametrize(
    "arguments",
    [
        ["bus", "status"],
        ["monitor", "serve"],
        ["ingest", "live"],
        ["research", "run", "demo"],
        ["gateway", "serve"],
    ],
)
def test_every_command_refuses_it(arguments: list[str], tmp_path: Path) -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "quantbus", *arguments],
        env={"PATH": "/usr/bin:/bin", "QUANTBUS_HOEM": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, "QUANTBUS_HOEM (did you mean QUANTBUS_HOME?)" in done.stderr) == (2, True)


def test_values_that_are_wrong_are_told_without_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBUS_INGESTION_QUOTES", "s3cret-not-json")
    monkeypatch.setenv("QUANTBUS_MARKET_DB", "s3cret/$db")
    for kind, name in (
        (IngestionSettings, "QUANTBUS_INGESTION_QUOTES"),
        (MongoSettings, "QUANTBUS_MARKET_DB"),
    ):
        with pytest.raises(ConfigError, match=name) as refused:
            load_settings(kind)
        assert "s3cret" not in str(refused.value)


def test_names_are_checked_without_regard_to_case() -> None:
    check_environment({"quantbus_home": "x", "ext_sig_db": "y", "OTHER": "z"})


def test_a_wrong_option_is_told_by_its_own_name_and_a_wrong_variable_by_its(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("QUANTBUS_INGESTION_CONCURRENCY", "0")
    with pytest.raises(ConfigError) as refused:
        load_options(IngestionSettings, {"fallbacks": "--fallback"}, metrics_port=70_000, fallbacks=("OKX",))
    told = str(refused.value)
    assert "--metrics-port: Input should be less than or equal to 65535" in told
    assert "--fallback: expected a fallback such as OKX:BTCUSDT" in told
    assert "QUANTBUS_INGESTION_CONCURRENCY: Input should be greater than" in told
