"""The local stack in the background: found by its address file, never mistaken for another process."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_services.local.up import detach, local_plan, running_stacks, take_down

pytestmark = pytest.mark.integration
DEAD_PID = 2**22 + 1
"""Above the greatest that Linux gives."""


def record(home: Path, pid: int) -> Path:
    path = home / "stack-synthetic" / "stack.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"pid": pid}), encoding="utf-8")
    return path


@contextlib.contextmanager
def sleeping(*arguments: str) -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", *arguments]) as process:
        try:
            yield process
        finally:
            process.kill()


def test_a_running_stack_is_found_refuses_a_second_one_and_is_stopped(tmp_path: Path) -> None:
    plan = local_plan(tmp_path, pairs=("BTC/USDT",), recipe="demo", venue="", data=None)
    with sleeping("up") as stack:
        path = record(tmp_path, stack.pid)
        assert running_stacks(tmp_path) == [path]
        with pytest.raises(ConfigError, match="runs already"):
            detach(plan, [])
        assert take_down(tmp_path) == ["stack-synthetic"]
    assert running_stacks(tmp_path) == []


def test_another_process_that_was_given_the_pid_is_left_alone(tmp_path: Path) -> None:
    with sleeping() as other:
        record(tmp_path, other.pid)
        assert take_down(tmp_path) == []
        assert other.poll() is None


def test_addresses_of_a_killed_stack_are_not_told_as_those_of_a_new_one(tmp_path: Path) -> None:
    plan = local_plan(tmp_path, pairs=("BTC/USDT",), recipe="demo", venue="", data=None)
    record(tmp_path, DEAD_PID)
    with socket.socket() as taken:
        with contextlib.suppress(OSError):  # then somebody else has it, which serves as well
            taken.bind(("127.0.0.1", plan.monitor_port))
            taken.listen()
        with pytest.raises(ConfigError, match=r"did not come up.*(?s:.)*8710"):
            detach(plan, [])
    assert running_stacks(tmp_path) == []


def test_bot_and_ingestion_follow_the_strategy_and_timeframe_of_the_recipe(tmp_path: Path) -> None:
    plan = local_plan(tmp_path, pairs=("BTC/USDT",), recipe="direction_1h", venue="", data=None)
    assert (plan.strategy_id, plan.timeframe) == ("direction_1h", "1h")
    with pytest.raises(ConfigError, match="did you mean 'demo'"):
        local_plan(tmp_path, pairs=("BTC/USDT",), recipe="demoo", venue="", data=None)
