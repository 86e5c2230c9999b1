"""What an audit of published signals says: what was looked at, and everything that does not fit."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Literal

__all__ = ["AuditFinding", "AuditReport", "FindingKind"]

FindingKind = Literal[
    "row_altered",
    "row_missing",
    "chain_broken",
    "revision_unaudited",
    "revision_altered",
    "revision_missing",
    "revision_twice",
]
"""``row_*`` and ``chain_*`` are about the audit's own rows, ``revision_*`` about signals."""

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that does not fit: in which strategy, at which row of the audit or which signal, and why."""

    kind: FindingKind
    strategy_id: str
    subject: str
    """``row 7`` of the audit, or a signal's id with its version."""
    reason: str


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The result of a verification.

    ``heads`` gives the newest audit row of each strategy as (number, hash). Whoever can rewrite the whole database
    can rewrite the chain; a head that is kept elsewhere shows that too.
    """

    rows: int = 0
    revisions: int = 0
    findings: tuple[AuditFinding, ...] = ()
    heads: Mapping[str, tuple[int, str]] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether everything fits."""
        return not self.findings

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {
            "ok": self.ok,
            "rows": self.rows,
            "revisions": self.revisions,
            "findings": [asdict(item) for item in self.findings],
            "heads": {name: {"seq": seq, "hash": digest} for name, (seq, digest) in self.heads.items()},
        }

    def to_json(self) -> str:
        """Return the report as one JSON document."""
        return json.dumps(self.as_dict(), ensure_ascii=False)

    def __str__(self) -> str:
        verdict = "fits" if self.ok else f"{len(self.findings)} findings"
        lines = [f"audit: {verdict} ({self.rows} audit rows, {self.revisions} revisions)"]
        lines += [
            f"  {item.kind}: {item.strategy_id}, {item.subject}: {item.reason}"
            for item in self.findings[:_SHOWN]
        ]
        if len(self.findings) > _SHOWN:
            lines.append(f"  … and {len(self.findings) - _SHOWN} more")
        return "\n".join(lines)
