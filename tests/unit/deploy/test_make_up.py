"""deploy/stack.sh behind `make up`, `make down` and `make logs`: containers where an engine answers, else processes."""

import os
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.unit.deploy.test_compose import tool

NEEDED = (
    *("sh", "sed", "ps", "grep", "timeout", "dirname", "cp", "mkdir", "chmod", "head", "base64", "tr", "mv"),
    *("tail", "cat", "git", "env", "sleep"),
)
DOCKER = """#!/bin/sh
echo "docker $* STACK_REVISION=${STACK_REVISION:-}" >>"$NOTES"
case "$*" in
"compose config"*) shift; exec "$COMPOSE" "$@" ;;
*"ps --services"*) for name in ${RUNNING:-}; do echo "$name"; done ;;
"compose version") [ -z "${NO_COMPOSE:-}" ] ;;
info*) [ -z "${DEAF:-}" ] || sleep 60; if [ -n "${ENGINE:-}" ]; then echo 29.0; else exit 1; fi ;;
*"ps --quiet"*) if [ -n "${CONTAINERS:-}" ]; then echo 0123abcd; fi ;;
"compose ps"*) printf 'monitor 127.0.0.1:8710->8710/tcp\\nmongo 27017/tcp\\n' ;;
esac
"""
QUANTBUS = """#!/bin/sh
echo "quantbus $*" >>"$NOTES"
[ "$1" != down ] || echo "${DOWN_SAYS:-nothing was running}"
"""
MAKE = """#!/bin/sh
echo "make $*" >>"$NOTES"
"""


@dataclass
class Checkout:
    """A folder with the script and stand-ins that note what they were asked."""

    folder: Path
    variables: dict[str, str] = field(default_factory=dict)

    def run(self, *words: str, **variables: str) -> tuple[int, str]:
        told = {
            "PATH": str(self.folder / "bin"),
            "NOTES": str(self.folder / "notes"),
            "MAKE": str(self.folder / "bin/make"),
            "HOME": str(self.folder),
            "COMPOSE": tool("docker-compose"),
            **self.variables,
            **variables,
        }
        done = subprocess.run(
            ["sh", str(self.folder / "deploy/stack.sh"), *words],
            env=told,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr

    def noted(self) -> list[str]:
        """What the stand-ins were asked to do, without what only looks."""
        file = self.folder / "notes"
        lines = file.read_text().splitlines() if file.exists() else []
        looking = (
            "docker compose version",
            "docker compose config",
            "ps --services",
            "docker info",
            "ps --quiet",
        )
        return [line for line in lines if not any(word in line for word in looking)]

    def program(self, place: str, text: str) -> None:
        path = self.folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(stat.S_IRWXU)


@pytest.fixture
def checkout(root: Path, tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    (tmp_path / "bin").mkdir()
    for name in NEEDED:
        found = shutil.which(name)
        assert found is not None or name == "timeout", name
        if found is not None:
            (tmp_path / "bin" / name).symlink_to(found)
    needed = ("deploy/stack.sh", "deploy/docker/make-secrets.sh", ".env.example", "docker-compose.yml")
    for name in needed:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, tmp_path / name)
    made.program("bin/docker", DOCKER)
    made.program("bin/make", MAKE)
    made.program(".venv/bin/quantbus", QUANTBUS)
    return made


@pytest.fixture
def local_stack(checkout: Checkout) -> Iterator[int]:
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)", "up"]) as process:
        place = checkout.folder / ".quantbus/stack-synthetic/stack.json"
        place.parent.mkdir(parents=True)
        place.write_text(f'{{\n  "pid": {process.pid},\n  "bus": "mongodb://127.0.0.1:1"\n}}\n')
        yield process.pid
        process.kill()


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({}, "no Docker engine answers this user"),
        ({"NO_COMPOSE": "1", "ENGINE": "1"}, "docker has no compose"),
        ({"STACK": "local", "ENGINE": "1"}, "STACK=local"),
    ],
)
def test_without_an_engine_the_same_stack_runs_as_processes(
    checkout: Checkout, given: dict[str, str], why: str
) -> None:
    code, said = checkout.run("up", "--recipe", "demo", **given)
    assert (code, said) == (0, f"stack: local ({why})\n")
    assert checkout.noted() == ["make -s runtime", "quantbus up --detach --recipe demo"]
    assert not (checkout.folder / "secrets").exists()


def test_a_machine_without_docker_says_so(checkout: Checkout) -> None:
    (checkout.folder / "bin/docker").unlink()
    assert checkout.run("up") == (0, "stack: local (there is no docker command)\n")


def test_an_engine_that_does_not_answer_is_waited_for_only_briefly(checkout: Checkout) -> None:
    began = time.monotonic()
    code, said = checkout.run("up", ENGINE="1", DEAF="1")
    assert (code, said) == (0, "stack: local (no Docker engine answers this user)\n")
    assert time.monotonic() - began < 30


def test_with_an_engine_it_runs_in_containers_with_all_that_they_need(checkout: Checkout) -> None:
    checkout.program("bin/npm", MAKE)
    code, said = checkout.run("up", "--quiet-pull", ENGINE="1", STACK_REVISION="abc123")
    assert code == 0, said
    assert said.startswith("stack: compose (a Docker engine answers)\n")
    assert "  http://127.0.0.1:8710\n" in said
    assert "mongo  " not in said, "what is not published has no address"
    assert (checkout.folder / ".env").read_text() == (checkout.folder / ".env.example").read_text()
    assert (checkout.folder / "secrets/mongod.key").stat().st_size
    web, up, _ = checkout.noted()
    assert web == "make -s web"
    assert (
        up
        == "docker compose up --build --detach --wait --wait-timeout 600 --quiet-pull STACK_REVISION=abc123"
    )


def test_settings_and_secrets_that_are_there_stay_as_they_are(checkout: Checkout) -> None:
    own = checkout.folder / "elsewhere"
    (checkout.folder / ".env").write_text(f"STACK_SECRETS={own}\n")
    assert checkout.run("up", ENGINE="1")[0] == 0
    first = (own / "admin.password").read_bytes()
    code, said = checkout.run("up", ENGINE="1")
    assert (code, "made" in said) == (0, False)
    assert (own / "admin.password").read_bytes() == first
    assert (checkout.folder / ".env").read_text() == f"STACK_SECRETS={own}\n"
    assert not (checkout.folder / "secrets").exists()


def test_images_are_labelled_by_what_git_says_of_the_folder(checkout: Checkout) -> None:
    def git(*words: str) -> str:
        command = ["git", "-C", str(checkout.folder), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    def label() -> str:
        assert checkout.run("up", ENGINE="1")[0] == 0
        told = [line for line in checkout.noted() if "compose up" in line]
        return told[-1].partition("STACK_REVISION=")[2]

    assert label() == "unknown"
    git("init", "--quiet")
    git("add", "deploy")
    git("commit", "--quiet", "--message", "First")
    git("tag", "v1")
    assert label() == git("rev-parse", "HEAD")
    with (checkout.folder / "deploy/docker/make-secrets.sh").open("a") as file:
        file.write("# another line\n")
    assert label() == git("rev-parse", "HEAD") + "-dirty"


def test_what_another_profile_left_running_is_ended_first(checkout: Checkout) -> None:
    """Compose leaves it: the bot of paper would keep its port, and its bars and trades would go on."""
    (checkout.folder / ".env").write_text("COMPOSE_PROFILES=live,monitoring\n")
    before = "mongo monitor freqtrade ingestion prometheus"
    code, said = checkout.run("up", ENGINE="1", RUNNING=before)
    assert code == 1
    assert "docker compose --profile '*' rm --stop --force freqtrade ingestion" in said
    assert checkout.noted() == []
    assert checkout.run("up", ENGINE="1", RUNNING="mongo monitor freqtrade-live prometheus")[0] == 0


def test_containers_that_do_not_come_up_are_a_failure(checkout: Checkout) -> None:
    checkout.program("bin/docker", DOCKER.replace("esac", '"compose up"*) exit 7 ;;\nesac'))
    code, said = checkout.run("up", ENGINE="1")
    assert code == 7
    assert "docker compose ps --all" in said
    assert "browser" not in said


@pytest.mark.usefixtures("local_stack")
def test_a_second_stack_of_the_other_kind_is_refused(checkout: Checkout) -> None:
    code, said = checkout.run("up", ENGINE="1")
    assert code == 1
    assert "a stack runs already as processes of this machine" in said
    code, said = checkout.run("up", ENGINE="1", CONTAINERS="1", STACK="local")
    assert code == 1
    assert "a stack runs already in containers" in said
    assert checkout.noted() == []


def test_a_process_that_was_given_the_number_of_a_killed_stack_is_no_stack(
    checkout: Checkout, local_stack: int
) -> None:
    place = checkout.folder / ".quantbus/stack-synthetic/stack.json"
    place.write_text(place.read_text().replace(str(local_stack), str(os.getpid())))
    assert checkout.run("up", ENGINE="1")[0] == 0


def test_down_ends_whichever_runs_and_both(checkout: Checkout) -> None:
    assert checkout.run("down", ENGINE="1") == (0, "nothing was running\n")
    (checkout.folder / "notes").unlink()
    ended = "stopped: stack-synthetic"
    assert checkout.run("down", ENGINE="1", DOWN_SAYS=ended) == (0, f"{ended}\n")
    assert checkout.noted() == ["quantbus down"]
    (checkout.folder / "notes").unlink()
    containers = "stopped: the containers; what they kept stays in volumes\n"
    assert checkout.run("down", ENGINE="1", CONTAINERS="1") == (0, containers)
    ended = "docker compose --profile * down --remove-orphans STACK_REVISION="
    assert checkout.noted() == [ended, "quantbus down"]
    both = checkout.run("down", ENGINE="1", CONTAINERS="1", DOWN_SAYS="stopped: stack-synthetic")
    assert both == (0, containers + "stopped: stack-synthetic\n")


@pytest.mark.parametrize("words", [["down"], ["logs"], ["up"]])
def test_what_cannot_be_told_of_containers_is_not_taken_for_none(
    checkout: Checkout, words: list[str]
) -> None:
    """As where a name is missing in .env that the Compose file insists on."""
    broken = '*"ps --quiet"*) echo "required variable STACK_MONEY is missing a value" >&2; exit 15 ;;'
    checkout.program("bin/docker", DOCKER.replace('*"ps --quiet"*)', f'{broken}\n*"ps --never"*)'))
    code, said = checkout.run(*words, ENGINE="1", STACK="local" if words == ["up"] else "")
    assert code == 1, said
    assert "required variable STACK_MONEY is missing a value" in said
    assert "nothing was running" not in said
    assert checkout.noted() == []


def test_an_engine_that_could_not_be_asked_is_told_of_by_down(checkout: Checkout) -> None:
    code, said = checkout.run("down")
    assert code == 0
    assert said == "containers were not looked for: no Docker engine answers this user\nnothing was running\n"
    (checkout.folder / "bin/docker").unlink()
    assert checkout.run("down") == (0, "nothing was running\n")


@pytest.mark.parametrize("written", ['"{0}/{1}"', "'{0}/{1}'", "{0}/{1} # of this machine", "~/{1}", "./{1}"])
def test_the_folder_of_secrets_is_understood_as_compose_understands_it(
    checkout: Checkout, written: str
) -> None:
    name = (
        "a folder of secrets whose name is as long as that of any folder of anybody, and longer than a line"
    )
    own = checkout.folder / name
    (checkout.folder / ".env").write_text(f"STACK_SECRETS={written.format(checkout.folder, name)}\n")
    code, said = checkout.run("up", ENGINE="1")
    assert code == 0, said
    assert (own / "mongod.key").stat().st_size
    assert {path.name for path in checkout.folder.iterdir() if path.is_dir()} <= {
        *("bin", "deploy", ".venv", name, ".quantbus")
    }


def test_down_needs_no_environment_of_python(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / ".venv")
    assert checkout.run("down", ENGINE="1") == (0, "nothing was running\n")
    assert checkout.run("down", ENGINE="1", CONTAINERS="1")[0] == 0


def test_logs_are_those_of_the_stack_that_runs(checkout: Checkout) -> None:
    assert checkout.run("logs")[0] == 0
    assert checkout.run("logs", ENGINE="1")[0] == 0
    assert checkout.run("logs", "gateway", ENGINE="1", CONTAINERS="1")[0] == 0
    assert checkout.noted() == [
        "quantbus logs --follow",
        "quantbus logs --follow",
        "docker compose --profile * logs --follow gateway STACK_REVISION=",
    ]


@pytest.mark.parametrize(
    ("words", "given", "told"),
    [
        (["up"], {"STACK": "compose"}, "STACK=compose wants a Docker engine, and no Docker engine answers"),
        (["up"], {"STACK": "docker"}, "expected STACK=compose or STACK=local, found 'docker'"),
        (["upp"], {}, "expected up, down or logs, found 'upp'"),
        ([], {}, "expected up, down or logs, found ''"),
    ],
)
def test_what_cannot_be_done_is_refused(
    checkout: Checkout, words: list[str], given: dict[str, str], told: str
) -> None:
    code, said = checkout.run(*words, **given)
    assert code == 2
    assert told in said
    assert checkout.noted() == []


def test_the_targets_of_make_run_the_script(root: Path) -> None:
    makefile = (root / "Makefile").read_text()
    for verb in ("up", "down", "logs"):
        assert f"sh deploy/stack.sh {verb} $(ARGS)" in makefile
