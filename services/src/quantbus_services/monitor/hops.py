"""Observes each hop of each signal once: from the bar's place on the bus to the fill.

A hop is counted when its moment lies behind the one up to which the process before this one has counted, and has not
been counted by this one. A refusal carries no moment of its own; it is counted if its row was first seen since then, or
was without an end when this process first read it.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from quantbus_contracts import Execution, PublishedSignal
from quantbus_contracts.schema import FINAL_STATES, ExecutionState
from quantbus_services.monitor.due import publish_delay
from quantbus_services.monitor.metrics import ChainMetrics, LedgerMetrics

__all__ = ["Bar", "Hops"]

Bar = tuple[str, str, datetime]
"""Symbol, timeframe, open time."""
_Identity = tuple[object, ...]
_NAMES = 4
"""So many names of what was counted a row has at most, unless it was revised: seen, ordered, filled, ended."""


class Hops:
    """Knows what it has counted, among the rows that are still looked at."""

    def __init__(self, chain: ChainMetrics, ledger: LedgerMetrics, *, since: datetime) -> None:
        """Count what happened after ``since`` (the bus's clock)."""
        self._chain = chain
        self._ledger = ledger
        self._since = since
        self._counted: set[_Identity] = set()
        self._last: dict[tuple[str, str], Execution] = {}
        self._was_open: set[tuple[str, str]] = set()

    def new_among(self, signals: Iterable[PublishedSignal]) -> list[PublishedSignal]:
        """Return the signals that have not been counted, though they are to be."""
        return [
            signal
            for signal in signals
            if signal.first_available_at > self._since and ("signal", signal.signal.key) not in self._counted
        ]

    def count_signals(self, signals: Iterable[PublishedSignal], arrivals: Mapping[Bar, datetime]) -> None:
        """Count the hops up to the bus; ``arrivals`` says when bars were written, as far as that is known."""
        for published in signals:
            self._counted.add(("signal", published.signal.key))
            signal, first = published.signal, published.history[0].signal if published.history else None
            labels = (signal.strategy_id,)
            computed_at = (first or signal).computed_at
            if computed_at is not None:
                arrived_at = arrivals.get((signal.symbol, signal.timeframe, signal.ts))
                if arrived_at is not None and arrived_at <= computed_at:  # else the bar was corrected since
                    seconds = (computed_at - arrived_at).total_seconds()
                    self._chain.compute_delay.labels(*labels).observe(seconds)
                seconds = (published.first_available_at - computed_at).total_seconds()
                self._chain.deliver_delay.labels(*labels).observe(max(0.0, seconds))
            self._chain.publish_delay.labels(*labels).observe(
                max(0.0, publish_delay(published).total_seconds())
            )

    def count_rows(self, rows: Iterable[Execution]) -> None:
        """Count the hops behind the bus, and the ends that signals came to."""
        for row in rows:
            if self._last.get(row.key) is row:  # not even read again since
                continue
            self._last[row.key] = row
            self._count_moves(row)
            if row.state not in FINAL_STATES:
                self._was_open.add(row.key)
            elif self._is_first(("ended", *row.key, str(row.version))) and self._ended_since(row):
                self._count_end(row)

    def forget_all_but(self, signals: Sequence[PublishedSignal], rows: Sequence[Execution]) -> None:
        """Let go of what is not looked at any more."""
        if len(self._last) <= len(rows) and len(self._counted) <= _NAMES * (len(signals) + len(rows)):
            return  # there cannot be much to let go of, and looking costs more than all the counting
        keys = {row.key for row in rows}
        spoken = {published.signal.key for published in signals}
        self._was_open &= keys
        self._last = {key: row for key, row in self._last.items() if key in keys}
        self._counted = {
            name
            for name in self._counted
            if (name[1] in spoken if name[0] == "signal" else (name[1], name[2]) in keys)
        }

    def _count_moves(self, row: Execution) -> None:
        moves = (
            ("seen", row.available_at, row.seen_at, self._ledger.consume_delay),
            ("ordered", row.seen_at, row.ordered_at, self._ledger.order_delay),
            ("filled", row.ordered_at, row.filled_at, self._ledger.fill_delay),
        )
        for name, begun, ended, histogram in moves:
            if begun is None or ended is None or ended <= self._since:
                continue
            if self._is_first((name, *row.key)):
                histogram.labels(row.consumer_id).observe(max(0.0, (ended - begun).total_seconds()))
                if name == "filled" and row.slippage is not None:
                    self._ledger.slippage.labels(row.consumer_id).observe(row.slippage)

    def _ended_since(self, row: Execution) -> bool:
        moment = row.filled_at if row.state is ExecutionState.FILLED and row.filled_at else row.seen_at
        return moment > self._since or row.key in self._was_open

    def _count_end(self, row: Execution) -> None:
        self._ledger.ended.labels(row.consumer_id, row.state.value).inc()
        if row.state is ExecutionState.REFUSED:
            self._ledger.refused.labels(row.consumer_id, row.reason).inc()
        elif row.state is ExecutionState.REJECTED:
            self._ledger.rejects.labels(row.consumer_id, row.reason).inc()

    def _is_first(self, identity: _Identity) -> bool:
        if identity in self._counted:
            return False
        self._counted.add(identity)
        return True
