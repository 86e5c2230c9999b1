"""What the check of a config finds in the files alone; each case is a config that ships with one thing changed."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.testing import FrozenClock
from quantbus_executor.checking import Finding, Severity, inspect, safety
from quantbus_executor.checking.catalogue import CATALOGUE, catalogue_table
from quantbus_executor.checking.inspection import read_plan, without_bus
from quantbus_executor.claims.claim import ClaimState, Wish
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.cli import app

ROOT = Path(__file__).resolve().parents[3]
USERDIR = ROOT / "executor/user_data"
KEYS = {"FREQTRADE__EXCHANGE__KEY": "k", "FREQTRADE__EXCHANGE__SECRET": "s"}
ACCOUNT = {"exchange": {"key": "k", "secret": "s"}}
API = {"enabled": True, "password": "p", "jwt_secret_key": "s" * 40, "listen_ip_address": "127.0.0.1"}
SWAPS = {"exchange": {"pair_whitelist": ["BTC/USDT:USDT", "ETH/USDT:USDT"]}}
ERROR, WARNING, NOTE = Severity


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        key: merged(under[key], value)
        for key, value in over.items()
        if isinstance(value, dict) and key in under
    }
    return {**under, **over, **both}


def findings(
    folder: Path,
    changes: Mapping[str, Any] | None = None,
    *,
    base: str = "dryrun",
    environment: Mapping[str, str] | None = None,
    userdir: Path = USERDIR,
    mode: int = 0o600,
) -> list[Finding]:
    config = json.loads((USERDIR / f"config.{base}.json").read_text(encoding="utf-8"))
    file = folder / "bot.json"
    file.write_text(json.dumps(merged(config, changes or {})), encoding="utf-8")
    file.chmod(mode)
    return inspect([file], userdir, environment or {}, FrozenClock(), ask=False)


@pytest.fixture(autouse=True)
def checkout_on_a_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the configs that ship keep their files where a disk does, wherever this checkout happens to be."""
    monkeypatch.setattr(safety, "_EMPTIED", ())


def test_the_dry_run_that_ships_leaves_nothing_to_say(tmp_path: Path) -> None:
    assert findings(tmp_path) == []


@pytest.mark.parametrize("base", ["live", "live-futures"])
def test_the_live_configs_that_ship_want_keys_and_an_api_and_nothing_else(base: str, tmp_path: Path) -> None:
    found = findings(tmp_path, base=base)
    assert {item.check for item in found if item.severity is not NOTE} == {"keys", "api"}
    with_both = findings(tmp_path, {"api_server": API}, base=base, environment=KEYS)
    assert [item for item in with_both if item.severity is not NOTE] == []


def test_an_exchange_that_knows_an_account_by_its_wallet_wants_no_other_key(tmp_path: Path) -> None:
    wallet = {"exchange": {"walletAddress": "0x1"}, "api_server": API}
    assert "keys" not in {item.check for item in findings(tmp_path, wallet, base="live")}


def test_a_claims_file_where_no_disk_keeps_it_is_warned_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(safety, "_EMPTIED", (tmp_path.parts[1:2],))
    place = {"external_signal": {"claims": {"file": str(tmp_path / "claims.sqlite")}}, "api_server": API}
    found = findings(tmp_path, place, base="live", environment=KEYS)
    assert ("claims-file", WARNING) in {(item.check, item.severity) for item in found}


DRY: list[tuple[dict[str, Any], str, Severity]] = [
    ({"external_signal": {"rules": {"tolerance": 2}}}, "settings", ERROR),
    ({"external_signal": {"strategy_id": None}}, "settings", ERROR),
    ({"timeframe": "7m"}, "settings", ERROR),
    ({"external_signal": {"timeframe": "30s"}}, "settings", ERROR),
    ({"external_signal": {"rules": {"can_short": True}}}, "settings", ERROR),
    ({"strategy": "Missing"}, "strategy-file", ERROR),
    ({"trading_mode": "margin"}, "mode", ERROR),
    ({"trading_mode": "futures", **SWAPS}, "mode", ERROR),
    ({"trading_mode": "futures", "margin_mode": "isolated"}, "pair-names", ERROR),
    (
        {
            "trading_mode": "futures",
            "margin_mode": "isolated",
            "external_signal": {"rules": {"can_short": False}},
            **SWAPS,
        },
        "shorts",
        NOTE,
    ),
    ({"pairlists": []}, "pairlists", ERROR),
    ({"pairlists": [{"method": "VolumePairList"}]}, "pairlists", WARNING),
    ({"protections": []}, "protections", ERROR),
    ({"exchange": {"pair_whitelist": []}}, "pairs", ERROR),
    ({"exchange": {"pair_whitelist": ["BTC/USDT:USDT"]}}, "pair-names", ERROR),
    ({"exchange": {"pair_whitelist": ["BTCUSDT"]}}, "pair-names", ERROR),
    ({"exchange": {"pair_whitelist": ["BTC/EUR"]}}, "stake-currency", ERROR),
    ({"exchange": {"pair_blacklist": ["BTC/.*"]}}, "blacklist", WARNING),
    ({"process_only_new_candles": True}, "new-candles-only", WARNING),
    ({"ignore_buying_expired_candle_after": 20}, "expired-candle", WARNING),
    ({"initial_state": "stopped"}, "initial-state", WARNING),
    ({"external_signal": {"rules": {"max_delay_seconds": 3}}}, "time-to-enter", ERROR),
    ({"internals": {"process_throttle_secs": 70}}, "time-to-enter", ERROR),
    (
        {
            "internals": {"process_throttle_secs": 5},
            "external_signal": {"max_answer_age_seconds": 5, "rules": {"catch_up": "exits_only"}},
        },
        "time-to-enter",
        ERROR,
    ),
    ({"entry_pricing": {"price_side": "same"}}, "price-side", ERROR),
    ({"exit_pricing": {"price_side": "same"}}, "price-side", ERROR),
    ({"order_types": {"entry": "limit"}}, "limit-orders", NOTE),
    ({"max_open_trades": 0}, "slots", ERROR),
    ({"max_open_trades": 1}, "slots", WARNING),
    ({"stake_amount": None}, "stake", ERROR),
    ({"stake_amount": 0}, "stake", ERROR),
    ({"stake_amount": "much"}, "stake", ERROR),
    ({"stake_amount": "unlimited", "max_open_trades": -1}, "stake", ERROR),
    ({"stake_amount": 600}, "stake", WARNING),
    ({"use_exit_signal": False}, "use-exit-signal", ERROR),
    ({"exit_profit_only": True}, "exit-profit-only", WARNING),
    ({"minimal_roi": {"0": 0.02}}, "roi", WARNING),
    ({"stoploss": -0.99}, "stoploss", WARNING),
    ({"stoploss": -0.001}, "stoploss", WARNING),
    ({"trailing_stop": True}, "trailing-stop", WARNING),
    ({"use_custom_stoploss": False}, "signal-stops", ERROR),
    ({"position_adjustment_enable": True}, "resizing", NOTE),
    (
        {"position_adjustment_enable": False, "external_signal": {"rules": {"drift_band": 0.05}}},
        "resizing",
        WARNING,
    ),
    (
        {"max_entry_position_adjustment": 0, "external_signal": {"rules": {"drift_band": 0.05}}},
        "resizing",
        WARNING,
    ),
    ({"order_types": {"stoploss_on_exchange": True}}, "stop-on-exchange", ERROR),
    ({"dry_run": None}, "dry-run", ERROR),
    (ACCOUNT, "keys", WARNING),
    ({"exchange": {"ccxt_config": {"urls": {"api": {"public": "http://x"}}}}}, "venue-address", NOTE),
    ({"db_url": "sqlite://"}, "database", WARNING),
    ({"db_url": None}, "database", WARNING),
    ({"api_server": API | {"password": ""}}, "api", ERROR),
    ({"api_server": API | {"jwt_secret_key": "short"}}, "api", ERROR),
    ({"api_server": API | {"listen_ip_address": "0.0.0.0"}}, "api", WARNING),  # noqa: S104
    ({"external_signal": {"claims": {"file": "/dev/null/claims.sqlite"}}}, "claims-file", ERROR),
    ({"force_entry_enable": True}, "force-entry", NOTE),
    ({"external_signal": {"restraints": {"controls": False}}}, "restraints", WARNING),
]
LIVE: list[tuple[dict[str, Any], str, Severity]] = [
    ({"order_types": {"stoploss_on_exchange": False}}, "stop-on-exchange", WARNING),
    ({"cancel_open_orders_on_exit": True}, "cancel-on-exit", WARNING),
    ({"available_capital": None}, "capital", NOTE),
    ({"available_capital": 60}, "stake", WARNING),
    ({"db_url": "sqlite://"}, "database", ERROR),
    ({"db_url": "sqlite:////data/dryrun.sqlite"}, "database", ERROR),
    ({"external_signal": {"rules": {"replay_database": True}}}, "replay-database", ERROR),
    ({"external_signal": {"restraints": {"when_unreadable": "open"}}}, "restraints", WARNING),
    (ACCOUNT, "keys-in-file", WARNING),
]


@pytest.mark.parametrize(("changes", "check", "severity"), DRY, ids=lambda value: json.dumps(value)[:60])
def test_each_thing_that_is_wrong_is_found_and_nothing_else(
    tmp_path: Path, changes: dict[str, Any], check: str, severity: Severity
) -> None:
    found = findings(tmp_path, changes)
    assert [(item.check, item.severity) for item in found if item.check == check] == [(check, severity)]
    allowed = {check, "settings"} if "timeframe" in json.dumps(changes) else {check}
    assert {item.check for item in found if item.severity is ERROR} <= allowed


@pytest.mark.parametrize(("changes", "check", "severity"), LIVE, ids=lambda value: json.dumps(value)[:60])
def test_real_money_is_held_to_more(
    tmp_path: Path, changes: dict[str, Any], check: str, severity: Severity
) -> None:
    found = findings(tmp_path, merged({"api_server": API}, changes), base="live", environment=KEYS)
    assert [
        (item.check, item.severity) for item in found if item.severity is not NOTE or item.check == check
    ] == [(check, severity)]


JUNK: tuple[object, ...] = (None, [], "x", 1.5, 1e300, [None, {}, 3], {"x": None, "0": "y"})
SHIPPED_LIVE = json.loads((USERDIR / "config.live.json").read_text(encoding="utf-8"))
PLACES = [(key, None) for key in SHIPPED_LIVE] + [
    (block, key) for block, keys in SHIPPED_LIVE.items() if isinstance(keys, dict) for key in keys
]


@pytest.mark.parametrize("junk", JUNK, ids=repr)
def test_whatever_stands_in_a_place_the_check_does_not_break(tmp_path: Path, junk: object) -> None:
    file = tmp_path / "bot.json"
    for block, key in PLACES:
        value = junk if key is None else SHIPPED_LIVE[block] | {key: junk}
        file.write_text(json.dumps(SHIPPED_LIVE | {block: value}), encoding="utf-8")
        plan, _ = read_plan([file], tmp_path, {})
        assert all(item.check in CATALOGUE for item in without_bus(plan)), (block, key)


def test_a_number_that_is_none_is_no_number_wherever_it_comes_from(tmp_path: Path) -> None:
    variables = {"FREQTRADE__STOPLOSS": "nan", "FREQTRADE__STAKE_AMOUNT": "inf"}
    found = findings(tmp_path, environment=variables)
    assert {(item.check, item.severity) for item in found} == {("stoploss", ERROR), ("stake", ERROR)}


def test_secrets_that_others_may_read_are_an_error(tmp_path: Path) -> None:
    found = findings(tmp_path, {"api_server": API}, mode=0o644)
    assert [(item.check, item.severity) for item in found] == [("readable-secrets", ERROR)]
    assert findings(tmp_path, {"api_server": API}, mode=0o600) == []


def test_orders_in_doubt_are_told_with_the_pairs_that_wait_for_a_person(tmp_path: Path) -> None:
    file = tmp_path / "trades.claims.sqlite"
    changes = {"db_url": f"sqlite:///{tmp_path}/trades.sqlite"}
    register = ClaimRegister(file)
    now = FrozenClock().now()
    wish = Wish(signal_id="s1", version=1, pair="BTC/USDT", side="long", amount=1.0, rate=1.0)
    assert register.claim(wish, now)
    assert findings(tmp_path, changes) == []  # the bot itself finds out about those
    (claim,) = register.all()
    assert register.settle(claim, ClaimState.UNKNOWN, now)
    register.close()
    (found,) = findings(tmp_path, changes)
    assert (found.check, found.severity) == ("doubts", WARNING)
    assert "BTC/USDT" in found.message
    assert str(file) in found.message
    file.write_text("no database", encoding="utf-8")
    assert [(item.check, item.severity) for item in findings(tmp_path, changes)] == [("claims-file", ERROR)]


def test_what_hyperopt_left_beside_the_strategy_is_found_and_counts(tmp_path: Path) -> None:
    strategies = tmp_path / "strategies"
    strategies.mkdir()
    name = "ExternalSignalStrategy"
    text = (USERDIR / f"strategies/{name}.py").read_text(encoding="utf-8")
    (strategies / f"{name}.py").write_text(text, encoding="utf-8")
    tuned = {"strategy_name": name, "params": {"roi": {"0": 0.05}, "stoploss": {"stoploss": -0.8}}}
    (strategies / f"{name}.json").write_text(json.dumps(tuned), encoding="utf-8")
    found = {item.check for item in findings(tmp_path, userdir=tmp_path)}
    assert found == {"tuned-parameters", "roi"}  # the config's own stoploss wins over the tuned one


def test_every_finding_is_one_sentence_in_one_line(tmp_path: Path) -> None:
    for changes, _, _ in (*DRY, *LIVE):
        for item in findings(tmp_path, changes):
            assert "\n" not in item.message
            assert not item.message.endswith(".")


def test_every_check_is_in_the_catalogue_and_on_the_page() -> None:
    sources = (ROOT / "executor/src/quantbus_executor/checking").glob("*.py")
    text = "\n".join(file.read_text(encoding="utf-8") for file in sources)
    used = set(re.findall(r'\b(?:error|warning|note)\)?\(\s*"([a-z-]+)"', text))
    assert used == set(CATALOGUE)
    page = (ROOT / "docs/executor-check.md").read_text(encoding="utf-8")
    assert catalogue_table() in page


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["check", "--offline", *arguments])


def test_the_command_says_by_its_exit_code_whether_the_bot_may_start(tmp_path: Path) -> None:
    warned, wrong = tmp_path / "warned.json", tmp_path / "wrong.json"
    config = json.loads((USERDIR / "config.dryrun.json").read_text(encoding="utf-8"))
    warned.write_text(json.dumps(config | {"trailing_stop": True}), encoding="utf-8")
    wrong.write_text(json.dumps(config | {"use_exit_signal": False}), encoding="utf-8")
    assert run().exit_code == 0
    assert run("-c", str(warned)).exit_code == 0
    assert run("-c", str(warned), "--strict").exit_code == 1
    told = run("-c", str(wrong), "--json")
    assert told.exit_code == 1
    answer = json.loads(told.stdout)
    assert answer["fit"] is False
    assert [(row["severity"], row["check"]) for row in answer["findings"]] == [("error", "use-exit-signal")]
    screen = run("-c", str(wrong)).stdout
    assert "not fit to start" in screen
    assert "use-exit-signal" in screen


def test_a_warning_that_was_accepted_by_name_fails_nothing_and_an_error_always_does(tmp_path: Path) -> None:
    warned, wrong = tmp_path / "warned.json", tmp_path / "wrong.json"
    config = json.loads((USERDIR / "config.dryrun.json").read_text(encoding="utf-8"))
    warned.write_text(json.dumps(config | {"trailing_stop": True}), encoding="utf-8")
    wrong.write_text(json.dumps(config | {"use_exit_signal": False}), encoding="utf-8")
    both = ("--strict", "--accept", "doubts", "--accept", "trailing-stop")
    assert run("-c", str(warned), *both).exit_code == 0
    assert run("-c", str(warned), *both[:3]).exit_code == 1
    assert run("-c", str(wrong), "--strict", "--accept", "use-exit-signal").exit_code == 1


def test_no_check_is_accepted_that_there_is_not() -> None:
    answer = run("--accept", "trailing-stops")
    assert isinstance(answer.exception, ConfigError)
    assert "trailing-stops" in str(answer.exception)


def test_a_second_config_is_laid_over_the_first_as_freqtrade_does(tmp_path: Path) -> None:
    over = tmp_path / "over.json"
    over.write_text('{"trailing_stop": true}', encoding="utf-8")
    shipped = str(USERDIR / "config.dryrun.json")
    answer = json.loads(run("-c", shipped, "-c", str(over), "--json").stdout)
    assert [row["check"] for row in answer["findings"]] == ["trailing-stop"]
