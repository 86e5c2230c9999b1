"""Every check by its name, and what it looks at: the table of docs/doctor.md is made from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["CHECKS", "GROUPS", "Check", "Group", "checks_of", "checks_table"]

Group = Literal["machine", "bus", "venue", "bot", "watch", "compose"]
GROUPS: tuple[Group, ...] = get_args(Group)


@dataclass(frozen=True, slots=True)
class Check:
    """The group that a check belongs to, and what it finds."""

    group: Group
    finds: str


CHECKS: Mapping[str, Check] = {
    "python": Check("machine", "a Python that the packages are not made for"),
    "packages": Check("machine", "parts of quantbus of different versions; a Freqtrade that was not tried"),
    "environment": Check("machine", "a name in the environment or `.env` that nothing reads"),
    "settings": Check("machine", "a setting that cannot be what it is"),
    "secret-files": Check(
        "machine", "a file with a secret that others can read, that is empty, or not there"
    ),
    "env-file": Check("machine", "a `.env` with secrets in it that others can read"),
    "home-disk": Check("machine", "little room where quantbus keeps its files"),
    "bus-answers": Check("bus", "no address, no server, or one that does not let this user in"),
    "server-version": Check("bus", "a MongoDB older than 6.0, or one that was not tried"),
    "server-advisories": Check("bus", "a MongoDB with a known fault that concerns this installation"),
    "compressors": Check("bus", "zlib among the compressors: the way in of CVE-2025-14847"),
    "scripting": Check("bus", "a server that runs JavaScript, so that `$where` is open to every reader"),
    "replica-set": Check(
        "bus", "no replica set, no primary, a member that is away, a majority that hangs on one"
    ),
    "journal": Check("bus", "a majority that confirms what is not on disk"),
    "write-concern": Check("bus", "a default by which one server's word is enough"),
    "transactions": Check("bus", "a dead publisher that holds up the next one for long"),
    "access-control": Check("bus", "a server that lets everyone do everything"),
    "user": Check("bus", "a user that lacks a right of its role, or has more than it"),
    "roles": Check("bus", "roles and users that differ from the table of [security](security.md)"),
    "schema-version": Check(
        "bus",
        "steps of `quantbus bus migrate` that are pending; a newer schema; a restore that is not finished",
    ),
    "collections": Check("bus", "collections that are not there, or forget rows by themselves"),
    "indexes": Check(
        "bus",
        "indexes that are not there, or are something else by the same name; a unique one too many",
    ),
    "validators": Check("bus", "validators that are not there, are others, or only warn"),
    "retention": Check("bus", "an index that removes what is to stay, or none that removes what may go"),
    "clock": Check("bus", "a clock here that differs from the server's"),
    "bus-disk": Check("bus", "little room on the disk of the database"),
    "venue": Check("venue", "an exchange that cannot be reached from here, or whose clock differs"),
    "venue-key": Check("venue", "an exchange key of the account service that may withdraw"),
    "bot-config": Check("bot", "a config that [`quantbus executor check`](executor-check.md) does not pass"),
    "monitor": Check("watch", "a monitor that does not answer, or is not ready"),
    "gateway": Check("watch", "a gateway that does not answer, or is not ready"),
    "prometheus": Check("watch", "a Prometheus without our rules, or that sends its alerts to nobody"),
    "targets": Check("watch", "processes that Prometheus asks in vain"),
    "alertmanager": Check("watch", "an Alertmanager that does not answer, or hears nothing of the Watchdog"),
    "stack-secrets": Check(
        "compose", "a folder of secrets that others can look into; a secret that is empty"
    ),
    "stack-names": Check("compose", "a `STACK_` name in `.env` that `.env.example` does not explain"),
    "containers": Check("compose", "containers that do not run, are not healthy, or ended with an error"),
    "services": Check("compose", "services of the profiles in `.env` that have no container"),
    "published-ports": Check("compose", "a port that is published beyond this machine"),
}


def checks_of(group: Group) -> tuple[str, ...]:
    """Return the names of a group's checks, in their order."""
    return tuple(name for name, check in CHECKS.items() if check.group == group)


def checks_table() -> str:
    """Return the checks as a Markdown table."""
    lines = ["| part | check | what it finds |", "|---|---|---|"]
    lines += [f"| `{check.group}` | `{name}` | {check.finds} |" for name, check in CHECKS.items()]
    return "\n".join(lines)
