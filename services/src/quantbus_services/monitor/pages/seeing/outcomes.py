"""A signal with what became of it, in a word and a colour."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts import Execution, PublishedSignal, Signal
from quantbus_contracts.schema import ExecutionState
from quantbus_services.monitor.due import publish_delay

__all__ = ["SignalRow", "says", "signal_rows"]

_COLOURS = {
    ExecutionState.FILLED: "good",
    ExecutionState.REJECTED: "bad",
    ExecutionState.UNKNOWN: "bad",
    ExecutionState.EXPIRED_UNSEEN: "look",
}


def says(signal: Signal) -> str:
    """Return what a signal asks for."""
    told = [signal.action.replace("_", " ")] if signal.action else []
    if signal.weight is not None:
        told.append(f"weight {signal.weight:+.3g}")
    if signal.score is not None:
        told.append(f"score {signal.score:+.3g}")
    return ", ".join(told)


@dataclass(frozen=True, slots=True)
class SignalRow:
    """One signal, and the rows of the ledger about it."""

    published: PublishedSignal
    executions: Sequence[Execution]
    unseen_since: datetime
    """What was on the bus before that and was seen by none is overdue."""

    @property
    def says(self) -> str:
        """What it asks for."""
        return says(self.published.signal)

    @property
    def publish_delay(self) -> timedelta:
        """From the close of its bar to its place on the bus."""
        return publish_delay(self.published)

    @property
    def consume_delay(self) -> timedelta | None:
        """From there to the first bot that saw it; None while none has."""
        seen = [row.seen_at - row.available_at for row in self.executions]
        return min(seen, default=None)

    @property
    def outcomes(self) -> Sequence[tuple[str, str]]:
        """Each different outcome as word and colour."""
        if not self.executions:
            if self.published.signal.origin != "live":
                return [(self.published.signal.origin, "plain")]
            overdue = self.published.first_available_at < self.unseen_since
            return [("seen by no bot", "look") if overdue else ("new", "plain")]
        return sorted({(_word(row), _COLOURS.get(row.state, "plain")) for row in self.executions})


def _word(row: Execution) -> str:
    state = row.state.value.replace("_", " ")
    return f"{state}: {row.reason.replace('_', ' ')}" if row.reason else state


def signal_rows(
    signals: Iterable[PublishedSignal], executions: Iterable[Execution], *, unseen_since: datetime
) -> list[SignalRow]:
    """Join signals with the ledger."""
    by_signal = defaultdict(list)
    for row in executions:
        by_signal[row.signal_id].append(row)
    return [SignalRow(signal, by_signal[signal.signal_id], unseen_since) for signal in signals]
