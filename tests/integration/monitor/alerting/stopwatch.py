"""Faults in waves, each measured from its rule's condition to the delivered message, and the table of them."""

import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

import httpx
import pytest

from tests.integration.monitor.alerting.conditions import Sampler
from tests.integration.monitor.alerting.receivers import Inbox, Told

MOST_SECONDS = 30.0
"""From a rule's condition to the message, beside the rule's own ``for``."""
PATIENCE_SECONDS = 200.0
"""For a fault to become a condition."""


class Stage(Protocol):
    """What is looked at, and who is told."""

    sampler: Sampler
    messenger: Inbox
    waits: dict[str, float]


Played = TypeVar("Played", bound=Stage)


def nothing_more(stage: object) -> None:
    """Do nothing: the fault before it, or the stage as it was set up, is the cause."""


@dataclass(frozen=True)
class Fault(Generic[Played]):
    """What is done, and the alert that has to tell it."""

    alert: str
    told_as: str
    cause: Callable[[Played], object] = nothing_more
    undo: Callable[[Played], object] = nothing_more
    patience: float = PATIENCE_SECONDS
    if_possible: Callable[[Played], str] = lambda stage: ""
    """Why it cannot be caused here; empty if it can."""


@dataclass(frozen=True)
class Row:
    """One fault and how long it took to be told."""

    alert: str
    fault: str
    to_condition: float
    to_message: float
    allowed: float


@dataclass
class Table:
    """The rows, shown as they come."""

    capsys: pytest.CaptureFixture[str]
    rows: list[Row] = field(default_factory=list)

    def begin(self) -> None:
        self.say(f"\n{_load()}; limits in seconds: {MOST_SECONDS:g} plus the rule's own `for`")
        self.say(f"{'alert':26}{'fault':44}{'to condition':>13}{'to message':>12}{'allowed':>9}")

    def keep(self, row: Row) -> None:
        self.rows.append(row)
        self.say(
            f"{row.alert:26}{row.fault:44}{row.to_condition:13.1f}{row.to_message:12.1f}{row.allowed:9.0f}"
        )

    def end(self) -> None:
        self.say(_load())
        assert [row for row in self.rows if not row.to_message <= row.allowed] == []

    def say(self, line: str) -> None:
        with self.capsys.disabled():
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def play(stage: Played, waves: Sequence[Sequence[Fault[Played]]], table: Table) -> None:
    """Cause one wave of faults after the other, and measure each."""
    for wave in waves:
        caused = {}
        for fault in wave:
            reason = fault.if_possible(stage)
            if reason:
                table.say(f"{fault.alert:26}not caused: {reason}")
                continue
            caused[fault.alert] = time.time()
            fault.cause(stage)
        there = [fault for fault in wave if fault.alert in caused]
        for fault in there:
            table.keep(measured(stage, fault, caused[fault.alert]))
        for fault in there:
            fault.undo(stage)


def measured(stage: Played, fault: Fault[Played], caused_at: float) -> Row:
    """Wait for condition and message; what does not come is infinitely late, and the others are measured too."""
    allowed = MOST_SECONDS + stage.waits[fault.alert]
    true_at = moment(lambda: stage.sampler.true_since(fault.alert, after=caused_at), within=fault.patience)
    if math.isinf(true_at):
        return Row(fault.alert, fault.told_as, true_at, math.inf, allowed)
    told_at = moment(lambda: at(stage.messenger.first(fault.alert, since=true_at)), within=allowed + 30)
    return Row(fault.alert, fault.told_as, max(0.0, true_at - caused_at), told_at - true_at, allowed)


def at(told: Told | None) -> float | None:
    return told.at if told is not None else None


def moment(look: Callable[[], float | None], *, within: float) -> float:
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        found = look()
        if found is not None:
            return found
        time.sleep(0.1)
    return math.inf


def waits_of(prometheus_url: str) -> dict[str, float]:
    """Return the ``for`` of every rule, as Prometheus has read it."""
    groups = httpx.get(f"{prometheus_url}/api/v1/rules", timeout=10, trust_env=False).json()["data"]["groups"]
    rules = [rule for group in groups for rule in group["rules"] if rule["type"] == "alerting"]
    return {rule["name"]: float(rule["duration"]) for rule in rules}


def _load() -> str:
    return f"load {os.getloadavg()[0]:.1f}"
