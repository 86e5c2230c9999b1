"""What a check found: a value, never an exception."""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Finding", "Severity"]


class Severity(StrEnum):
    """How soon a person should look: now, or today."""

    CRITICAL = "critical"
    WARNING = "warning"


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One thing that is not as it should be.

    Attributes
    ----------
    kind
        Out of a small closed set; usually the name of the check.
    severity
        How soon a person should look.
    subject
        What it is about: a strategy, a stream of bars, a process, a pair; with ``kind`` the finding's name.
    message
        What was expected and what was found.
    action
        What to do next.
    strategy_id, pair
        Which strategy and which pair it is about; empty where it is about neither.
    evidence
        What differs, without what moves by itself: an acknowledgement counts for this and no more.
    blocks
        The scope that is to make no new entries until it is explained or acknowledged; empty: none.
    acknowledged
        Whether a person has taken it on.
    """

    kind: str
    severity: Severity
    subject: str
    message: str
    action: str
    strategy_id: str = ""
    pair: str = ""
    evidence: str = ""
    blocks: str = ""
    acknowledged: bool = False
