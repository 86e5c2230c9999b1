"""Configs made from those that ship."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_executor.cli import app
from quantbus_executor.configs.explained import SHIPPED as SHIPPED_NAMES
from quantbus_executor.configs.reading import read_config
from quantbus_executor.configs.tailored import (
    KEY_NAMES,
    ApiServer,
    Tailoring,
    tailored_config,
    venue_addresses,
)
from quantbus_executor.settings import ExecutorSettings
from quantbus_services.paper_exchange.binance.urls import ccxt_config

SHIPPED = Path(__file__).resolve().parents[3] / "executor/user_data/config.dryrun.json"
URL = "http://127.0.0.1:8765"


@pytest.fixture
def base() -> dict[str, Any]:
    return read_config(SHIPPED)


@pytest.mark.parametrize("name", SHIPPED_NAMES)
def test_the_configs_that_ship_hold_no_usable_secret(name: str) -> None:
    config = read_config(SHIPPED.with_name(name))
    assert config["dry_run"] is (name == "config.dryrun.json")
    assert config["api_server"]["enabled"] is False
    assert config["api_server"]["listen_ip_address"] == "127.0.0.1"
    assert config["api_server"]["password"] == ""
    assert "jwt_secret_key" not in config["api_server"]
    assert not set(KEY_NAMES) & set(config["exchange"])
    assert config["strategy"] == "ExternalSignalStrategy"
    assert ExecutorSettings.load(config, {}).strategy_id


def test_each_config_that_ships_has_a_ledger_and_a_database_of_its_own() -> None:
    configs = [read_config(SHIPPED.with_name(name)) for name in SHIPPED_NAMES]
    assert len({config["db_url"] for config in configs}) == len(configs)
    assert len({config["external_signal"]["consumer_id"] for config in configs}) == len(configs)


def test_every_address_of_the_venue_is_replaced() -> None:
    assert {"urls": venue_addresses(URL + "/")} == ccxt_config(URL)


def test_an_address_that_is_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="expected an address"):
        venue_addresses("127.0.0.1:8765")


def test_what_is_asked_for_is_in_the_config_and_the_base_is_left_alone(
    base: dict[str, Any], tmp_path: Path
) -> None:
    before = json.dumps(base)
    run = Tailoring(
        database=tmp_path / "trades.sqlite",
        venue_url=URL,
        pairs=("SOL/USDT", "XRP/USDT", "ADA/USDT"),
        timeframe="5m",
        strategy_id="mine",
        consumer_id="my-bot",
        stake=25.0,
        throttle_seconds=1,
        api=ApiServer(port=8181, password="p", jwt_secret="s" * 40),
    )
    made = tailored_config(base, run)
    assert made["dry_run"] is True
    assert json.dumps(base) == before
    assert made["db_url"] == f"sqlite:///{tmp_path}/trades.sqlite"
    assert made["exchange"]["pair_whitelist"] == ["SOL/USDT", "XRP/USDT", "ADA/USDT"]
    assert made["exchange"]["ccxt_config"]["urls"]["api"]["public"] == f"{URL}/api/v3"
    assert made["max_open_trades"] == 3
    assert made["timeframe"] == "5m"
    assert made["stake_amount"] == 25.0
    assert made["internals"]["process_throttle_secs"] == 1
    assert made["external_signal"]["strategy_id"] == "mine"
    assert made["external_signal"]["consumer_id"] == "my-bot"
    assert made["api_server"]["listen_ip_address"] == "127.0.0.1"
    assert made["api_server"]["jwt_secret_key"] == "s" * 40


def test_the_real_venue_is_kept_where_no_address_is_given(base: dict[str, Any], tmp_path: Path) -> None:
    made = tailored_config(base, Tailoring(database=tmp_path / "t", exchange="kraken"))
    assert made["exchange"]["name"] == "kraken"
    assert "ccxt_config" not in made["exchange"]


@pytest.mark.parametrize(
    ("change", "run", "told"),
    [
        ({}, {"live": True}, "dry_run false for real orders, found True"),
        ({}, {"timeframe": "7m"}, "expected a timeframe"),
        ({}, {"stake": float("nan")}, "--stake: expected a number above 0"),
        ({}, {"capital": -5.0}, "--capital: expected a number above 0"),
        ({}, {"venue_url": URL, "exchange": "kraken"}, "found 'kraken'"),
    ],
)
def test_what_cannot_be_is_refused(
    base: dict[str, Any], tmp_path: Path, change: dict[str, Any], run: dict[str, Any], told: str
) -> None:
    with pytest.raises(Exception, match=told):
        tailored_config(base | change, Tailoring(database=tmp_path / "t", **run))


@pytest.mark.parametrize("name", ["config.live.json", "config.live-futures.json"])
def test_real_orders_are_sent_only_where_they_are_asked_for_by_name(name: str, tmp_path: Path) -> None:
    base = read_config(SHIPPED.with_name(name))
    base["exchange"] |= {"key": "k", "secret": "s"}
    rehearsed = tailored_config(base, Tailoring(database=tmp_path / "t", capital=150.0))
    assert rehearsed["dry_run"] is True
    assert rehearsed["dry_run_wallet"] == 150.0
    assert not {"key", "secret"} & set(rehearsed["exchange"])
    live = tailored_config(base, Tailoring(database=tmp_path / "t", live=True, capital=150.0))
    assert live["dry_run"] is False
    assert live["available_capital"] == 150.0
    assert live["exchange"]["key"] == "k"


@pytest.mark.parametrize("wrong", [{"port": 0}, {"port": 70_000}, {"password": ""}, {"jwt_secret": "short"}])
def test_an_api_that_anyone_could_use_is_refused(wrong: dict[str, Any]) -> None:
    fields: dict[str, Any] = {"port": 8080, "password": "p", "jwt_secret": "s" * 40} | wrong
    with pytest.raises(ConfigError):
        ApiServer(**fields)


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["config", "--base", str(SHIPPED), *arguments])


def test_the_command_writes_a_file_for_its_owner_only_with_secrets_of_its_own(tmp_path: Path) -> None:
    out, password = tmp_path / "made" / "bot.json", tmp_path / "password"
    password.write_text("from-file\n", encoding="utf-8")
    for file in (out, tmp_path / "other.json"):
        done = run("--api-port", "8181", "--api-password-file", str(password), "--out", str(file), "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["config"] == str(file)
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    made, other = read_config(out), read_config(tmp_path / "other.json")
    assert made["api_server"]["password"] == "from-file"
    assert made["api_server"]["jwt_secret_key"] != other["api_server"]["jwt_secret_key"]
    assert not list(tmp_path.glob("**/*.new"))


@pytest.mark.parametrize(
    ("options", "dry_run", "mode"),
    [
        ((), True, "spot"),
        (("--live",), False, "spot"),
        (("--futures",), True, "futures"),
        (("--live", "--futures"), False, "futures"),
    ],
)
def test_the_command_starts_from_the_config_that_fits(
    options: tuple[str, ...], dry_run: bool, mode: str
) -> None:
    done = CliRunner().invoke(app, ["config", *options])
    made = json.loads(done.stdout)
    assert (made["dry_run"], made["trading_mode"]) == (dry_run, mode)
    assert ("live" if not dry_run else "dryrun") in made["db_url"]


def test_the_command_prints_the_config_where_no_file_is_named() -> None:
    done = run("--pairs", "SOL/USDT, XRP/USDT", "--venue-url", URL)
    assert json.loads(done.stdout)["exchange"]["pair_whitelist"] == ["SOL/USDT", "XRP/USDT"]


@pytest.mark.parametrize(("live", "said"), [((), "a dry run"), (("--live",), "real orders")])
def test_the_command_says_what_it_wrote_and_whether_its_orders_are_real(
    live: tuple[str, ...], said: str, tmp_path: Path
) -> None:
    out = tmp_path / "bot.json"
    options = ("--consumer-id", "bot-1", "--db", str(tmp_path / "trades.sqlite"), "--out", str(out))
    done = CliRunner().invoke(app, ["config", *live, *options])
    assert done.stdout.strip() == f"wrote {out}: {said} as bot-1, trades in {tmp_path / 'trades.sqlite'}"


@pytest.mark.parametrize("text", [None, "{", "[]"])
def test_a_base_that_is_no_config_is_refused(tmp_path: Path, text: str | None) -> None:
    file = tmp_path / "base.json"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"base\.json"):
        read_config(file)
