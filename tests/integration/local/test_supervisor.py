"""Children are started, watched and ended without leftovers."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quantbus_services.local.supervisor import ChildDied, Supervisor

pytestmark = pytest.mark.integration


def running(pid: int) -> bool:
    state = subprocess.run(
        ["ps", "-o", "stat=", "-p", str(pid)], capture_output=True, text=True, check=False
    ).stdout
    return bool(state.strip()) and not state.startswith("Z")


@pytest.fixture
def supervisor(tmp_path: Path) -> Supervisor:
    return Supervisor(
        logs=tmp_path, folder=tmp_path, environment={"PATH": os.environ["PATH"], "GREETING": "hello"}
    )


async def test_a_child_gets_its_environment_and_a_log(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.run("greeter", ["sh", "-c", "echo $GREETING; pwd; echo $HOME-"])
    assert (tmp_path / "greeter.log").read_text() == f"hello\n{tmp_path}\n-\n"


async def test_a_death_is_noticed_at_once_and_names_the_log(supervisor: Supervisor, tmp_path: Path) -> None:
    await supervisor.start("steady", ["sleep", "60"])
    await supervisor.start("brief", ["sh", "-c", "sleep 0.2; exit 3"])
    started = time.monotonic()
    with pytest.raises(ChildDied, match=rf"brief ended with code 3; read {tmp_path}/brief.log"):
        await asyncio.wait_for(supervisor.watch(), 5)
    assert time.monotonic() - started < 2
    await supervisor.stop()


async def test_stopping_ends_children_and_what_they_started(supervisor: Supervisor, tmp_path: Path) -> None:
    script = "sleep 61 & echo $! > grandchild; trap '' TERM; while :; do sleep 0.1; done"
    stubborn = await supervisor.start("stubborn", ["sh", "-c", script])
    await supervisor.wait_until((tmp_path / "grandchild").exists, what="the grandchild", seconds=5)
    await asyncio.sleep(0.1)
    grandchild = int((tmp_path / "grandchild").read_text())
    stubborn_stop = asyncio.create_task(supervisor.stop())
    await asyncio.sleep(0.3)
    os.killpg(
        stubborn.process.pid, signal.SIGKILL
    )  # do not wait out the grace of a child that ignores SIGTERM
    await asyncio.wait_for(stubborn_stop, 5)
    assert not running(stubborn.process.pid)
    assert not running(grandchild)


async def test_waiting_ends_when_a_child_dies_or_time_is_up(supervisor: Supervisor) -> None:
    with pytest.raises(TimeoutError, match="the moon did not come within 0 s"):
        await supervisor.wait_until(lambda: False, what="the moon", seconds=0.2)
    await supervisor.start("brief", ["false"])
    with pytest.raises(ChildDied, match="brief ended with code 1"):
        await supervisor.wait_until(lambda: False, what="the moon", seconds=5)


async def test_a_one_shot_that_fails_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(ChildDied, match="init ended with code 7"):
        await supervisor.run("init", ["sh", "-c", "exit 7"])
    assert supervisor.children == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_children_of_a_killed_supervisor_end_too(tmp_path: Path) -> None:
    script = f"""
import asyncio, os
from pathlib import Path
from quantbus_services.local.supervisor import Supervisor
async def main():
    folder = Path({str(tmp_path)!r})
    supervisor = Supervisor(logs=folder, folder=folder, environment=dict(os.environ))
    child = await supervisor.start("child", ["sleep", "62"])
    print(child.process.pid, flush=True)
    await supervisor.watch()
asyncio.run(main())
"""
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    child = int(parent.stdout.readline())
    assert running(child)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    deadline = time.monotonic() + 5
    while running(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not running(child)
