"""What one check came to: what was expected, what was found, what to do; pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

__all__ = ["FAILING", "STATUSES", "Finding", "Status", "fail", "is_sound", "ok", "skipped", "unknown", "warn"]

Status = Literal["ok", "warn", "fail", "unknown", "skipped"]
STATUSES: tuple[Status, ...] = get_args(Status)
FAILING: frozenset[Status] = frozenset(("fail", "unknown"))
"""What could not be looked at is not in order."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. ``skipped``: this installation has no such part; ``unknown``: it has, and could not be looked at."""

    check: str
    status: Status
    expected: str
    found: str
    advice: str = ""


def ok(check: str, expected: str, found: str) -> Finding:
    """Return a finding that all is well."""
    return Finding(check, "ok", expected, found)


def warn(check: str, expected: str, found: str, advice: str) -> Finding:
    """Return a finding that somebody should have decided."""
    return Finding(check, "warn", expected, found, advice)


def fail(check: str, expected: str, found: str, advice: str) -> Finding:
    """Return a finding that endangers data, money or secrets."""
    return Finding(check, "fail", expected, found, advice)


def unknown(check: str, expected: str, found: str, advice: str) -> Finding:
    """Return a finding that the question could not be answered."""
    return Finding(check, "unknown", expected, found, advice)


def skipped(check: str, expected: str, found: str, advice: str = "") -> Finding:
    """Return a finding that there is nothing to look at."""
    return Finding(check, "skipped", expected, found, advice)


def is_sound(findings: Iterable[Finding], *, strict: bool = False) -> bool:
    """Tell whether nothing fails or is unknown; with ``strict`` nothing may warn either."""
    bad = FAILING | ({"warn"} if strict else set())
    return not any(finding.status in bad for finding in findings)
