"""When an asked-for gap counts as empty or unreachable, and when to ask for it again; pure."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from quantbus_contracts.schema import Gap, GapState
from quantbus_services.ingestion.settings import IngestionSettings

__all__ = ["Answer", "GapRules"]

Answer = Literal["around", "nothing", "failed"]
"""The venue gave the bars on both sides and none inside; it did not give both sides; it did not answer."""

_UNREACHABLE_REST = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class GapRules:
    """How much it takes to believe that there are no such bars."""

    confirmations: int
    """So many answers around a gap make it empty."""
    pause: timedelta
    """An answer counts if it comes at least this long after the last that counted."""
    attempts: int
    """So many requests without an answer around it make it unreachable."""

    @classmethod
    def of(cls, settings: IngestionSettings) -> "GapRules":
        """Return the rules that the settings give."""
        return cls(
            confirmations=settings.gap_confirmations,
            pause=timedelta(seconds=settings.gap_pause_seconds),
            attempts=settings.gap_attempts,
        )

    def judged(self, gap: Gap, answer: Answer, note: str, now: datetime) -> Gap:
        """Return the gap after one more attempt that brought none of its bars."""
        attempts = gap.attempts + 1
        change: dict[str, object] = {"attempts": attempts, "last_attempt": now, "note": note[:200]}
        if answer == "around":
            counts = gap.last_confirmation is None or now - gap.last_confirmation >= self.pause
            confirmations = gap.confirmations + counts
            confirmed = confirmations >= self.confirmations
            change |= {
                "confirmations": confirmations,
                "last_confirmation": now if counts else gap.last_confirmation,
                "state": GapState.EMPTY if confirmed else GapState.RETRYING,
            }
        elif gap.state is not GapState.EMPTY:
            change["state"] = GapState.UNREACHABLE if attempts >= self.attempts else GapState.RETRYING
        return gap.model_copy(update=change)

    def is_due(self, gap: Gap, now: datetime) -> bool:
        """Tell whether it is time to ask for the gap again."""
        if gap.state in (GapState.REPAIRED, GapState.EMPTY):
            return False
        if gap.last_attempt is None:
            return True
        rest = _UNREACHABLE_REST if gap.state is GapState.UNREACHABLE else self.pause
        return now - gap.last_attempt >= rest
