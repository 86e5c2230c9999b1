"""Where a bot's settings come from, and what is said about wrong ones."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import CatchUp, Confidence, Debounce, SoftScale, TradingRules
from quantbus_executor.hearing.restraints import RestraintSettings
from quantbus_executor.settings import ENVIRONMENT_NAMES, Abilities, ExecutorSettings

BLOCK = {"strategy_id": "demo", "consumer_id": "bot"}


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep a .env file of this machine out of the tests."""
    monkeypatch.chdir(tmp_path)
    for name in ("QUANTBUS_MONGO_URI", "QUANTBUS_SIGNALS_DB", "QUANTBUS_TRADING_DB"):
        monkeypatch.delenv(name, raising=False)


def load(block: dict[str, Any] | None = None, env: dict[str, str] | None = None) -> ExecutorSettings:
    return ExecutorSettings.load({"timeframe": "1m", "external_signal": block or BLOCK}, env or {})


def test_a_block_with_two_names_is_enough() -> None:
    settings = load()
    assert (settings.strategy_id, settings.consumer_id, settings.timeframe.name) == ("demo", "bot", "1m")
    assert settings.collection == "crypto_signals"
    assert settings.query_timeout == timedelta(milliseconds=300)
    assert settings.rules.tolerance_bars == 1
    assert settings.mongo.mongo_uri is None


def test_the_environment_outranks_the_block() -> None:
    env = {
        "EXT_SIG_MONGO_URI": "mongodb://there:1",
        "EXT_SIG_DB": "theirs",
        "EXT_SIG_COLLECTION": "signals_of_theirs",
        "EXT_SIG_STRATEGY_ID": "other",
        "EXT_SIG_CONSUMER_ID": "other-bot",
        "EXT_SIG_QUERY_TIMEOUT_MS": "150",
    }
    assert set(env) == set(ENVIRONMENT_NAMES)
    settings = load({**BLOCK, "mongo_uri": "mongodb://here:1", "db": "ours"}, env)
    assert settings.mongo.mongo_uri is not None
    assert settings.mongo.mongo_uri.get_secret_value() == "mongodb://there:1"
    assert settings.mongo.signals_db == "theirs"
    assert settings.collection == "signals_of_theirs"
    assert (settings.strategy_id, settings.consumer_id) == ("other", "other-bot")
    assert settings.query_timeout == timedelta(milliseconds=150)


def test_the_bots_own_names_outrank_those_of_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("QUANTBUS_MONGO_URI", "mongodb://product:1")
    monkeypatch.setenv("QUANTBUS_SIGNALS_DB", "products")
    monkeypatch.setenv("QUANTBUS_TRADING_DB", "trading_of_products")
    uri = load().mongo.mongo_uri
    assert uri is not None
    assert uri.get_secret_value() == "mongodb://product:1"
    settings = load({**BLOCK, "mongo_uri": "mongodb://block:1"}, {"EXT_SIG_DB": "own"})
    uri = settings.mongo.mongo_uri
    assert uri is not None
    assert uri.get_secret_value() == "mongodb://block:1"
    assert (settings.mongo.signals_db, settings.mongo.trading_db) == ("own", "trading_of_products")


def test_rules_are_read_in_plain_units() -> None:
    rules = load(
        {
            **BLOCK,
            "rules": {
                "tolerance_bars": 2,
                "max_delay_seconds": 90,
                "max_age_seconds": 45,
                "act_on_old_exits": False,
                "replay_database": True,
                "score_entry": 0.7,
            },
        }
    ).rules
    assert rules.tolerance_bars == 2
    assert rules.max_delay == timedelta(seconds=90)
    assert rules.max_age_from_available == timedelta(seconds=45)
    assert not rules.act_on_old_exits
    assert rules.accept_replay
    assert rules.score_entry == 0.7


def test_nothing_restrains_unless_it_was_chosen_except_what_was_set_on_the_bus() -> None:
    settings = load()
    assert settings.rules == TradingRules()
    assert settings.restraints == RestraintSettings(controls=True, risk_state=True, fail_open=False)


def test_debounce_confidence_and_restraints_are_read_in_plain_units() -> None:
    settings = load(
        {
            **BLOCK,
            "rules": {
                "catch_up": "exits_only",
                "debounce": {"minimum_hold_seconds": 600, "cool_down_seconds": 60, "flips_per_day": 3},
                "confidence": {"scale": True, "fuse": True, "fail_open": False},
            },
            "restraints": {"controls": False, "when_unreadable": "open", "max_age_seconds": 10},
        }
    )
    assert settings.rules.catch_up is CatchUp.EXITS_ONLY
    assert settings.rules.debounce == Debounce(
        minimum_hold=timedelta(minutes=10), cool_down=timedelta(minutes=1), flips_per_day=3
    )
    usual = SoftScale(floor=0.30, full_at=0.55)
    assert settings.rules.confidence == Confidence(scale=usual, fuse_below=0.45, fail_open=False)
    assert settings.restraints == RestraintSettings(
        controls=False, risk_state=True, fail_open=True, max_age=timedelta(seconds=10)
    )


@pytest.mark.parametrize(
    ("mode", "rules", "able"),
    [
        ("spot", {}, Abilities()),
        (None, {}, Abilities()),
        ("futures", {}, Abilities(can_short=True)),
        ("futures", {"can_short": False}, Abilities()),
        ("futures", {"drift_band": 0.02}, Abilities(can_short=True, resizes=True)),
        ("spot", {"drift_band": 0.02}, Abilities(resizes=True)),
        ("spot", {"can_short": True}, Abilities()),  # the start says what is wrong
        ("futures", {"no_such_rule": 1}, Abilities()),
        ("futures", None, Abilities()),
    ],
)
def test_freqtrade_learns_of_shorts_and_resizing_before_the_start(
    mode: str | None, rules: dict[str, Any] | None, able: Abilities
) -> None:
    assert Abilities.of({"trading_mode": mode, "external_signal": {**BLOCK, "rules": rules}}) == able


def test_shorts_are_held_on_futures_unless_that_was_chosen_otherwise_and_never_on_spot() -> None:
    config: dict[str, Any] = {"timeframe": "1m", "external_signal": BLOCK}
    assert not ExecutorSettings.load(config, {}).rules.can_short
    assert ExecutorSettings.load({**config, "trading_mode": "futures"}, {}).rules.can_short
    block = {**BLOCK, "rules": {"can_short": True}}
    with pytest.raises(ConfigError, match="can_short: expected false on spot"):
        ExecutorSettings.load({**config, "external_signal": block}, {})


def test_signals_may_be_about_longer_bars_than_the_bots_and_not_about_shorter_ones() -> None:
    config: dict[str, Any] = {"timeframe": "5m", "external_signal": {**BLOCK, "timeframe": "1h"}}
    assert ExecutorSettings.load(config, {}).timeframe.name == "1h"
    config["external_signal"]["timeframe"] = "1m"
    with pytest.raises(ConfigError, match=r"at least as long as the bot's own \(5m\), found 1m"):
        ExecutorSettings.load(config, {})


@pytest.mark.parametrize(
    ("block", "env", "told"),
    [
        ({"strategy_id": "demo"}, {}, r"consumer_id \(or EXT_SIG_CONSUMER_ID\): expected a name"),
        ({"consumer_id": "bot"}, {}, r"strategy_id \(or EXT_SIG_STRATEGY_ID\): expected a name"),
        ({**BLOCK, "tolerence": 1}, {}, r"external_signal\.tolerence: unknown; known are"),
        ({**BLOCK, "rules": {"tolerance_bars": -1}}, {}, r"rules\.tolerance_bars"),
        ({**BLOCK, "rules": {"tolerence": 1}}, {}, r"rules\.tolerence: unknown; known are tolerance_bars"),
        (
            {**BLOCK, "rules": {"debounce": {"hold": 1}}},
            {},
            r"rules\.debounce\.hold: unknown; known are minimum_hold_seconds",
        ),
        ({**BLOCK, "rules": {"debounce": {"cool_down_seconds": 0}}}, {}, r"debounce\.cool_down_seconds"),
        ({**BLOCK, "rules": {"catch_up": "maybe"}}, {}, r"rules\.catch_up"),
        ({**BLOCK, "rules": {"confidence": {"scale_floor": 0}}}, {}, "scale_floor"),
        ({**BLOCK, "rules": {"confidence": {"fuse": True, "fuse_below": 7}}}, {}, "fuse_below"),
        ({**BLOCK, "restraints": {"when_unreadable": "perhaps"}}, {}, r"restraints\.when_unreadable"),
        ({**BLOCK, "rules": {"score_entry": 3}}, {}, "score_entry"),
        ({**BLOCK, "consumer_id": "a b"}, {}, "consumer_id"),
        ({**BLOCK, "query_timeout_ms": 60_000}, {}, "query_timeout_ms"),
        (BLOCK, {"EXT_SIG_CONSUMERID": "x"}, "did you mean EXT_SIG_CONSUMER_ID"),
        (BLOCK, {"QUANTBUS_MONGO_URL": "x"}, "did you mean QUANTBUS_MONGO_URI"),
        ("demo", {}, "expected a block of settings"),
    ],
)
def test_what_is_wrong_is_named(block: dict[str, Any], env: dict[str, str], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load(block, env)


def test_a_timeframe_that_is_not_known_is_refused() -> None:
    with pytest.raises(Exception, match="expected a timeframe"):
        ExecutorSettings.load({"timeframe": "7m", "external_signal": BLOCK}, {})


def test_secrets_are_not_shown() -> None:
    shown = repr(load({**BLOCK, "mongo_uri": "mongodb://user:hunter2@host:1"}))
    assert "hunter2" not in shown
