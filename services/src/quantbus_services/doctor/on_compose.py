"""Judges the containers of a stack by what the engine says of them; pure."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from quantbus_services.doctor.exposure import Looked, exposure
from quantbus_services.doctor.findings import Finding, fail, ok, skipped, unknown, warn

__all__ = [
    "CONTAINERS",
    "ONE_SHOTS",
    "containers_finding",
    "names_finding",
    "ports_finding",
    "rows_of",
    "secrets_finding",
    "services_finding",
]

CONTAINERS = "containers that run and are healthy, and one-shots that ended with 0"
_SERVICES = "a container for every service of the profiles that .env names"
_PORTS = "ports published on 127.0.0.1 only"
_NAMES = "STACK_ names that .env.example explains"
_SECRETS = "a folder of secrets for its owner alone, and no secret empty"
_MAY_BE_EMPTY = ("account.key", "account.secret", "messengers", "smtp.password")
"""Whose profile is not used then."""
ONE_SHOTS = frozenset(
    (
        *("mongo-key", "found", "init", "bot-config", "bot-config-live", "bot-signed", "bot-check-live"),
        *("quantbus", "replay"),
    )
)
"""The services that end by themselves; to any other an end is one that somebody made."""
_MEMBERS = ("mongo", "mongo-2", "mongo-3")
_LOOPBACK = ("127.0.0.1", "::1")


def rows_of(text: str) -> list[dict[str, Any]] | None:
    """Return the rows of ``docker compose ps --format json``: one list, or, since Compose 2.21, one row a line."""
    try:
        told = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(line) for line in text.splitlines()]
        )
    except ValueError:
        return None
    return told if all(isinstance(row, dict) for row in told) else None


def containers_finding(
    rows: Sequence[Mapping[str, Any]] | None, words: str, members: str = "mongo:27017"
) -> Finding:
    """Judge what ``docker compose ps --all`` said; ``words`` say why there is nothing.

    ``members`` are those of MongoDB that ``.env`` names: one that runs beside them copies nothing.
    """
    if rows is None:
        return unknown(
            "containers", CONTAINERS, words, "run it where the engine is, as a user who may ask it"
        )
    if not rows:
        return fail("containers", CONTAINERS, "none", "docker compose up --build --wait")
    wrong = [f"{row.get('Service')}: {fault}" for row in rows if (fault := _fault(row, members.split(",")))]
    if wrong:
        first = wrong[0].partition(":")[0]
        return fail("containers", CONTAINERS, "; ".join(wrong), f"read why: docker compose logs {first}")
    return ok("containers", CONTAINERS, f"{len(rows)} of them")


def _fault(row: Mapping[str, Any], members: Collection[str]) -> str:
    state, health, code = str(row.get("State")), str(row.get("Health") or ""), row.get("ExitCode", 0)
    if state == "exited" and code == 0:
        return "" if row.get("Service") in ONE_SHOTS else "was stopped"
    if state == "exited":
        return f"ended with {code}"
    if state != "running":
        return state
    if row.get("Service") in _MEMBERS and f"{row['Service']}:27017" not in members:
        return "runs, and STACK_MONGO_MEMBERS does not name it"
    return "" if health in ("", "healthy") else health


def services_finding(rows: Sequence[Mapping[str, Any]] | None, named: Collection[str]) -> Finding:
    """Judge whether who should run was ever started; ``named`` is what ``docker compose config --services`` said."""
    if rows is None or not named:
        return unknown("services", _SERVICES, "the engine did not answer", "mend containers first")
    absent = sorted(set(named) - {str(row.get("Service")) for row in rows} - ONE_SHOTS)
    if absent:
        advice = "docker compose up --build --wait, or take its profile out of COMPOSE_PROFILES in .env"
        return warn("services", _SERVICES, f"none for {', '.join(absent)}", advice)
    return ok("services", _SERVICES, "so it is")


def ports_finding(rows: Sequence[Mapping[str, Any]] | None) -> Finding:
    """Judge where ports are published."""
    if rows is None:
        return unknown("published-ports", _PORTS, "the engine did not answer", "mend containers first")
    published = [
        (str(row.get("Service")), str(one.get("URL")), int(one["PublishedPort"]))
        for row in rows
        for one in row.get("Publishers") or ()
        if one.get("PublishedPort")
    ]
    beyond = [f"{service} {url}:{port}" for service, url, port in published if url not in _LOOPBACK]
    if beyond:
        advice = "publish on 127.0.0.1 and let a proxy with TLS and passwords stand before it"
        return fail("published-ports", _PORTS, "; ".join(sorted(set(beyond))), advice)
    return ok("published-ports", _PORTS, f"{len(published)} of them")


def names_finding(given: Collection[str], explained: Collection[str]) -> Finding:
    """Judge the names of ``.env`` that Compose alone reads."""
    strange = sorted(name for name in given if name.startswith("STACK_") and name not in explained)
    if not explained:
        return skipped("stack-names", _NAMES, "there is no .env.example to hold them against")
    if strange:
        advice = "correct or remove them: Compose takes its default without a word"
        return fail("stack-names", _NAMES, ", ".join(strange), advice)
    return ok("stack-names", _NAMES, "so they are")


def secrets_finding(folder: Path, files: Sequence[Looked]) -> Finding:
    """Judge the folder that the containers' secrets are mounted from."""
    if not files:
        return fail("stack-secrets", _SECRETS, f"no file in {folder}", "sh deploy/docker/make-secrets.sh")
    open_files = [file.path.name for file in files if exposure(file) == "everyone"]
    if open_files:
        told = f"everyone on this machine can read {', '.join(open_files)}"
        advice = f"chmod 700 {folder}; then make anew what others could read (docs/security.md)"
        return fail("stack-secrets", _SECRETS, told, advice)
    empty = [file.path.name for file in files if file.size == 0 and file.path.name not in _MAY_BE_EMPTY]
    if empty:
        told = f"empty: {', '.join(empty)}"
        return fail("stack-secrets", _SECRETS, told, "remove it and run sh deploy/docker/make-secrets.sh")
    grouped = [file.path.name for file in files if exposure(file) == "group"]
    if grouped:
        return warn("stack-secrets", _SECRETS, f"its group can read {folder}", f"chmod 700 {folder}")
    return ok("stack-secrets", _SECRETS, f"{len(files)} files, for their owner alone")
