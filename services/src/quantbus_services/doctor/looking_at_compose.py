"""Asks the engine about the stack of a folder, and the doctor inside of it."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from quantbus_services.doctor.asking import Answer, run, said
from quantbus_services.doctor.exposure import Looked, look
from quantbus_services.doctor.findings import Finding, Status, skipped, unknown
from quantbus_services.doctor.on_compose import (
    containers_finding,
    names_finding,
    ports_finding,
    rows_of,
    secrets_finding,
    services_finding,
)
from quantbus_services.doctor.on_venue import CONFIG, KEY, VENUE, config_finding, key_finding, venue_finding
from quantbus_services.doctor.settings import values_of

__all__ = ["stack_findings"]

_BOTS = {
    "freqtrade": "/var/lib/quantbus/freqtrade.json",
    "freqtrade-live": "/var/lib/quantbus/freqtrade.json",
}
_FOLLOWERS = ("ingestion", "ingestion-live")
_PAPER_EXCHANGE = "http://paper-exchange:8711"
_USERDIR = "/opt/user_data"
"""Where the executor's image has the strategy."""
_WITH_FILES = "/usr/local/bin/with-files"
"""What gives the bot its account from files: whoever asks for the bot has to know of it as well."""
_SETTLED = ("api",)
"""A bot's API listens on the networks of its container; where that is published is another finding."""
Engine = Callable[[Sequence[str]], Answer]
"""``docker compose`` with arguments, for its JSON."""


def stack_findings(folder: Path, seconds: float, *, offline: bool) -> list[Finding]:
    """Look at the stack from outside, then at the bus, the venue and the bot from inside."""
    given = values_of(folder / ".env")
    secrets = _secrets(folder / given.get("STACK_SECRETS", "secrets"))
    answer = said([*_COMPOSE, "ps", "--all", "--format", "json"], seconds, folder)
    rows = rows_of(answer.out) if answer.code == 0 else None
    found = [
        secrets_finding(folder / given.get("STACK_SECRETS", "secrets"), secrets),
        names_finding(given, _explained(folder / ".env.example")),
        containers_finding(
            rows,
            answer.words or "what is no list of containers",
            given.get("STACK_MONGO_MEMBERS", "mongo:27017"),
        ),
        services_finding(rows, said([*_COMPOSE, "config", "--services"], seconds, folder).out.split()),
        ports_finding(rows),
    ]
    if not rows:
        return found

    def engine(arguments: Sequence[str]) -> Answer:
        return run([*_COMPOSE, *arguments], seconds, folder)

    return [*found, *_inside(engine, _running(rows), given.get("STACK_VENUE", "binance"), offline=offline)]


_COMPOSE = ("docker", "compose")


def _secrets(folder: Path) -> list[Looked]:
    try:
        return [look(path) for path in sorted(folder.iterdir())]
    except OSError:
        return []


def _explained(example: Path) -> set[str]:
    try:
        lines = example.read_text(encoding="utf-8").splitlines()
    except OSError:
        return set()
    return {line.lstrip("# ").partition("=")[0] for line in lines if "=" in line}


def _running(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    return {str(row.get("Service")) for row in rows if row.get("State") == "running"}


def _inside(engine: Engine, running: set[str], venue: str, *, offline: bool) -> list[Finding]:
    """Ask where the answer is: the bus as its administrator, the venue and the bot from their own containers."""
    found = _bus(engine(("run", "--rm", "--no-deps", "-T", "init", "doctor", "--only", "bus", "--json")))
    follower = next((name for name in _FOLLOWERS if name in running), None)
    if offline or follower is None:
        found.append(skipped("venue", VENUE, "--offline" if offline else "no ingestion runs"))
    else:
        # What docker-compose.yml says on the command line of those services and not in their environment.
        where = ("--venue", venue) if follower == "ingestion-live" else ("--venue-url", _PAPER_EXCHANGE)
        asked = ("exec", "-T", follower, "quantbus", "ingest", "clock", "--json", *where)
        found.append(venue_finding(engine(asked)))
    if offline or "account" not in running:
        found.append(skipped("venue-key", KEY, "--offline" if offline else "no account is watched"))
    else:
        found.append(
            key_finding(engine(("exec", "-T", "account", "quantbus", "account", "rights", "--json")))
        )
    bots = [name for name in _BOTS if name in running]
    for name in bots:
        check = ("quantbus", "executor", "check", "--config", _BOTS[name], "--userdir", _USERDIR, "--json")
        answer = engine(("exec", "-T", name, _WITH_FILES, *check))
        found.append(config_finding(f"{name}:{_BOTS[name]}", answer, settled=_SETTLED))
    if not bots:
        found.append(skipped("bot-config", CONFIG, "no bot runs"))
    return found


def _bus(answer: Answer) -> list[Finding]:
    statuses: Mapping[str, Status] = {
        "ok": "ok",
        "warn": "warn",
        "fail": "fail",
        "unknown": "unknown",
        "skipped": "skipped",
    }
    try:
        return [
            Finding(row["check"], statuses[row["status"]], row["expected"], row["found"], row["advice"])
            for row in answer.told["findings"]
        ]
    except (KeyError, TypeError):
        advice = "run it yourself: docker compose run --rm --no-deps init doctor --only bus"
        return [unknown("bus-answers", "an answer of the doctor inside", answer.words, advice)]
