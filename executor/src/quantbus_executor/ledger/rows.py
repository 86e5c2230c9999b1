"""The steps of a ledger row, pure: ``seen → accepted | refused → ordered → filled | rejected``."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from quantbus_contracts.policy import PositionSide, Reason, TradingRules, requested_action
from quantbus_contracts.schema import FINAL_STATES, Execution, ExecutionState, PublishedSignal
from quantbus_contracts.schema.execution import Side

__all__ = [
    "accepted",
    "entry_action",
    "exit_action",
    "is_acted_entry",
    "is_final",
    "refused",
    "rejected",
    "seen",
    "superseded",
    "turned",
    "waiting",
    "with_changes",
]

_ACTED = (ExecutionState.ACCEPTED, ExecutionState.ORDERED, ExecutionState.FILLED)


def with_changes(row: Execution, changes: Mapping[str, Any]) -> Execution:
    """Return the row with validated changes; the same object where nothing differs."""
    given = {name: value for name, value in changes.items() if getattr(row, name) != value}
    return Execution(**{**row.model_dump(), **given}) if given else row


def is_final(row: Execution) -> bool:
    """Tell whether nothing more can become of this revision."""
    return row.state in FINAL_STATES


def is_acted_entry(row: Execution) -> bool:
    """Tell whether an order to enter was, or is about to be, placed because of this signal."""
    return row.state in _ACTED and row.side in ("enter_long", "enter_short")


def entry_action(side: PositionSide) -> Side:
    """Return the action that opens a position."""
    return "enter_long" if side == "long" else "enter_short"


def exit_action(side: PositionSide) -> Side:
    """Return the action that ends a position."""
    return "exit_long" if side == "long" else "exit_short"


def seen(
    published: PublishedSignal,
    former: Execution | None,
    *,
    consumer_id: str,
    now: datetime,
    rules: TradingRules,
) -> Execution:
    """Return the row of a signal that was just read: a new one, or the former for a new revision.

    A revision of a signal that was traded keeps what was traded: its trade and orders stay in the row.
    """
    if former is not None and former.version >= published.version:
        return former
    signal = published.signal
    return Execution(
        consumer_id=consumer_id,
        signal_id=published.signal_id,
        strategy_id=signal.strategy_id,
        pair=signal.pair,
        timeframe=signal.timeframe,
        ts=signal.ts,
        version=published.version,
        side=requested_action(published, rules),
        state=ExecutionState.SEEN,
        available_at=published.available_at,
        seen_at=now,
        trade_id=former.trade_id if former else None,
        order_ids=former.order_ids if former else (),
    )


def waiting(row: Execution, reason: Reason | None) -> Execution:
    """Note what is in the way of a signal that may still trade."""
    return row if row.state is not ExecutionState.SEEN else with_changes(row, {"reason": reason})


def refused(row: Execution, reason: Reason) -> Execution:
    """Turn the signal down for good; one that was acted upon stays what it became."""
    if row.state is not ExecutionState.SEEN:
        return row
    return with_changes(row, {"state": ExecutionState.REFUSED, "reason": reason})


def superseded(row: Execution) -> Execution:
    """End a signal that was seen and overtaken by a newer one before anything came of it."""
    if row.state is not ExecutionState.SEEN:
        return row
    return with_changes(row, {"state": ExecutionState.SUPERSEDED, "reason": Reason.SUPERSEDED})


def accepted(row: Execution, side: Side, now: datetime, reason: Reason | None = None) -> Execution:
    """Note that the bot will act on the signal."""
    if row.state in _ACTED:
        return row
    return with_changes(
        row, {"state": ExecutionState.ACCEPTED, "side": side, "accepted_at": now, "reason": reason}
    )


def rejected(row: Execution, reason: Reason) -> Execution:
    """Note that nothing came of what the bot had decided to do."""
    if row.state not in (ExecutionState.ACCEPTED, ExecutionState.ORDERED):
        return row
    return with_changes(row, {"state": ExecutionState.REJECTED, "reason": reason})


def turned(row: Execution) -> Execution:
    """Return the row of a reversal that has left its position: it waits to enter the opposite one.

    The order of its exit stays in the row; everything else of the exit gives way to what becomes of the entry.
    """
    opposite: PositionSide = "short" if row.side == "exit_long" else "long"
    blank = ("reason", "accepted_at", "ordered_at", "filled_at", "price", "amount", "slippage", "trade_id")
    begun = {"state": ExecutionState.SEEN, "side": entry_action(opposite)}
    return with_changes(row, dict.fromkeys(blank) | begun)
