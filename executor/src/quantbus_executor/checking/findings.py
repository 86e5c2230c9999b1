"""What a check of a config comes to: findings, each one sentence that ends with what to do."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity", "error", "is_fit", "note", "warning"]


class Severity(StrEnum):
    """How bad it is: an error keeps signals from being followed or money from being safe."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """The worst first."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing about a config. ``check`` is its name in the catalogue."""

    severity: Severity
    check: str
    message: str


def error(check: str, message: str) -> Finding:
    """Return what has to be mended before the bot is started."""
    return Finding(Severity.ERROR, check, message)


def warning(check: str, message: str) -> Finding:
    """Return what somebody should have decided knowingly."""
    return Finding(Severity.WARNING, check, message)


def note(check: str, message: str) -> Finding:
    """Return what is good to know."""
    return Finding(Severity.NOTE, check, message)


def is_fit(findings: Iterable[Finding], *, strict: bool = False, accepted: Collection[str] = ()) -> bool:
    """Return whether a bot may start: no error, and if ``strict`` no warning either but of ``accepted`` checks."""
    return not any(
        finding.severity is Severity.ERROR
        or (strict and finding.severity is Severity.WARNING and finding.check not in accepted)
        for finding in findings
    )
