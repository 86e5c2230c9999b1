"""The claims file: on the disk before it returns, one process at a time, and a person's word where nobody knows."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.testing import FrozenClock
from quantbus_executor.claims.claim import ClaimState, Wish
from quantbus_executor.claims.opening import claims_file
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.cli import app
from quantbus_executor.settings import ExecutorSettings

NOW = FrozenClock().now()


def wish(signal_id: str = "a" * 32, **given: Any) -> Wish:
    known: dict[str, Any] = {
        **{"signal_id": signal_id, "version": 1, "pair": "BTC/USDT", "side": "long"},
        **{"amount": 0.5, "rate": 100.0},
    }
    return Wish(**(known | given))


def test_a_claim_is_flushed_to_the_disk_before_it_counts(tmp_path: Path) -> None:
    register = ClaimRegister(tmp_path / "claims.sqlite")
    modes = [
        register._file.execute(f"PRAGMA {name}").fetchone()[0] for name in ("synchronous", "journal_mode")
    ]
    assert modes == [3, "delete"], "EXTRA, with a rollback journal"
    assert (tmp_path / "claims.sqlite").stat().st_mode & 0o077 == 0


def test_a_signal_is_claimed_once_and_an_increase_once_for_each_revision(tmp_path: Path) -> None:
    register = ClaimRegister(tmp_path / "claims.sqlite")
    assert register.claim(wish(), NOW)
    assert not register.claim(wish(version=2), NOW), "another revision is the same entry"
    assert register.claim(wish(version=2, trade_id=1), NOW)
    assert not register.claim(wish(version=2, trade_id=1), NOW)
    assert register.claim(wish(version=3, trade_id=1), NOW)
    assert register.claim(wish("b" * 32), NOW)


def test_only_what_was_released_is_claimed_again_and_three_times_at_most(tmp_path: Path) -> None:
    register = ClaimRegister(tmp_path / "claims.sqlite")
    register.claim(wish(), NOW)
    for state in (ClaimState.PLACED, ClaimState.UNFILLED, ClaimState.UNKNOWN, ClaimState.RELEASED):
        claim = register.get("a" * 32)
        assert claim is not None
        assert register.settle(claim, state, NOW)
        assert register.claim(wish(), NOW) is (state is ClaimState.RELEASED)
    for _ in range(2):
        claim = register.get("a" * 32)
        assert claim is not None
        register.settle(claim, ClaimState.RELEASED, NOW)
        register.claim(wish(), NOW)
    claim = register.get("a" * 32)
    assert claim is not None
    assert (claim.attempts, claim.state) == (3, ClaimState.RELEASED)


def test_what_was_found_out_about_an_earlier_attempt_says_nothing_about_a_later_one(tmp_path: Path) -> None:
    register = ClaimRegister(tmp_path / "claims.sqlite")
    register.claim(wish(), NOW)
    first = register.get("a" * 32)
    assert first is not None
    register.settle(first, ClaimState.RELEASED, NOW)
    register.claim(wish(), NOW)
    assert not register.settle(first, ClaimState.PLACED, NOW)
    again = register.get("a" * 32)
    assert again is not None
    assert again.state is ClaimState.OPEN


def test_a_file_keeps_its_identity_and_a_run_does_not(tmp_path: Path) -> None:
    one = ClaimRegister(tmp_path / "claims.sqlite")
    one.close()
    two = ClaimRegister(tmp_path / "claims.sqlite")
    assert one.identity == two.identity
    assert one.process != two.process
    assert ClaimRegister(tmp_path / "other.sqlite").identity != one.identity


def test_a_file_that_another_process_holds_is_refused_until_that_is_killed(tmp_path: Path) -> None:
    path = tmp_path / "claims.sqlite"
    script = (
        "import sys, time; from pathlib import Path; from quantbus_executor.claims.register import ClaimRegister; "
        "register = ClaimRegister(Path(sys.argv[1])); print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(ConfigError, match="found another bot that runs with it"):
            ClaimRegister(path)
        ClaimRegister(path, exclusive=False).close()
        os.kill(other.pid, signal.SIGKILL)
        other.wait(timeout=10)
    ClaimRegister(path).close()


def test_a_file_that_is_none_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "claims.sqlite"
    path.write_text("what is this? " * 100, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"expected a claims file in .*, found one that cannot be used"):
        ClaimRegister(path)
    other = tmp_path / "later.sqlite"
    ClaimRegister(other).close()
    with sqlite3.connect(other) as file:
        file.execute("UPDATE about SET value = '2' WHERE name = 'layout'")
    file.close()
    with pytest.raises(ConfigError, match="another version of quantbus"):
        ClaimRegister(other)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"db_url": "sqlite:////data/live.sqlite"}, "/data/live.claims.sqlite"),
        ({"db_url": "sqlite:///live.sqlite"}, "live.claims.sqlite"),
        ({"db_url": "sqlite://", "user_data_dir": "/data"}, "/data/bot.claims.sqlite"),
        ({"db_url": "postgresql://host/db", "user_data_dir": "/data"}, "/data/bot.claims.sqlite"),
        ({"external_signal": {"claims": {"file": "/own/claims"}}}, "/own/claims"),
    ],
)
def test_the_file_lies_beside_freqtrades_database_unless_told(given: dict[str, Any], expected: str) -> None:
    block = {"strategy_id": "s", "consumer_id": "bot", **given.get("external_signal", {})}
    config = {"timeframe": "1m", **given, "external_signal": block}
    assert claims_file(ExecutorSettings.load(config, {}), config) == Path(expected)


def test_a_person_sees_what_is_in_doubt_and_ends_it_while_the_bot_runs(tmp_path: Path) -> None:
    path = tmp_path / "claims.sqlite"
    register = ClaimRegister(path)
    register.claim(wish(), NOW)
    claim = register.get("a" * 32)
    assert claim is not None
    run = CliRunner()
    refused = run.invoke(app, ["settle", str(path), "a" * 32, "--as", "none"])
    assert "found one that is open" in str(refused.exception)
    register.settle(claim, ClaimState.UNKNOWN, NOW, note="the venue did not say")
    (row,) = json.loads(run.invoke(app, ["claims", str(path), "--json"]).output)
    assert (row["key"], row["state"], row["note"]) == ("a" * 32, "unknown", "the venue did not say")
    assert "BTC/USDT" in run.invoke(app, ["claims", str(path)]).output
    assert run.invoke(app, ["settle", str(path), "a" * 32, "--as", "none"]).exit_code == 0
    settled = register.get("a" * 32)
    assert settled is not None
    assert settled.state is ClaimState.RELEASED
    assert "No order is in doubt" in run.invoke(app, ["claims", str(path)]).output
    assert register.blocking("BTC/USDT") is None


def test_a_file_that_is_not_there_is_not_made_by_looking(tmp_path: Path) -> None:
    missing = tmp_path / "none.sqlite"
    assert "found none" in str(CliRunner().invoke(app, ["claims", str(missing)]).exception)
    assert not missing.exists()
