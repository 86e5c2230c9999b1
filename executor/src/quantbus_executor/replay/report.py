"""What a replay found: its runs, where they differ, and their equity curves."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quantbus_executor.replay.differences import Difference, Kind
from quantbus_executor.replay.outcome import Outcome

__all__ = ["Comparison", "ReplayReport"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two runs held side by side."""

    left: str
    right: str
    differences: Sequence[Difference]

    @property
    def kinds(self) -> Mapping[Kind, int]:
        """How many differences of each kind there are."""
        return Counter(difference.kind for difference in self.differences)


@dataclass(frozen=True, slots=True)
class ReplayReport:
    """The runs of one replay and their comparisons."""

    outcomes: Sequence[Outcome]
    comparisons: Sequence[Comparison]
    leaks: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        """Whether every difference has a name, and no trade knew too much."""
        return not self.leaks and not any(
            comparison.kinds.get(Kind.UNNAMED) for comparison in self.comparisons
        )

    def as_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them."""
        return {
            "ok": self.ok,
            "leaks": list(self.leaks),
            "runs": {
                outcome.name: {
                    "trades": [trade.as_dict() for trade in outcome.trades],
                    "equity": [[moment.isoformat(), value] for moment, value in outcome.equity()],
                    "ledger": {
                        signal_id: {"version": row.version, "state": row.state.value, "reason": row.reason}
                        for signal_id, row in sorted(outcome.rows.items())
                    },
                }
                for outcome in self.outcomes
            },
            "comparisons": [
                {
                    "left": comparison.left,
                    "right": comparison.right,
                    "differences": [difference.as_dict() for difference in comparison.differences],
                }
                for comparison in self.comparisons
            ],
        }

    def save(self, path: Path) -> None:
        """Write all of it as JSON."""
        path.write_text(json.dumps(self.as_dict(), indent=2), encoding="utf-8")
