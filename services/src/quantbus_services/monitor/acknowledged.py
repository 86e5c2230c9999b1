"""What a person has taken on, among what checks find; pure."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from quantbus_contracts.schema import RecordedFinding
from quantbus_services.monitor.board import Outcome

__all__ = ["acknowledged", "marked"]

Key = tuple[str, str, str]


def acknowledged(standing: Iterable[RecordedFinding], now: datetime) -> Mapping[Key, str]:
    """Return the evidence of each finding that is taken on at ``now``, by its key."""
    return {row.key: row.evidence for row in standing if row.is_acknowledged(now)}


def marked(outcome: Outcome, taken_on: Mapping[Key, str]) -> Outcome:
    """Return an outcome whose findings know that they are taken on; another evidence is another finding."""
    if not taken_on:
        return outcome
    return replace(
        outcome,
        findings=tuple(
            replace(one, acknowledged=True)
            if taken_on.get((outcome.check, one.kind, one.subject)) == one.evidence
            else one
            for one in outcome.findings
        ),
    )
