"""Whether the bot's open trades are what signals and ledger say they should be; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts import Execution, PublishedSignal
from quantbus_contracts.policy import PositionSide, TradingRules, wish_of
from quantbus_contracts.schema import ExecutionState

__all__ = [
    "MISMATCH_KINDS",
    "Mismatch",
    "OpenTrade",
    "compare",
    "unexplained_entries",
]

_RULES = TradingRules()  # only scores depend on a consumer's rules, and scores are not judged here
_ENTRIES: Mapping[str, PositionSide] = {"enter_long": "long", "enter_short": "short"}
MISMATCH_KINDS = ("trade_without_signal", "wrong_side", "open_against_signal", "filled_without_trade")
"""Every way in which trades and signals can disagree: the values of the metric's label."""


@dataclass(frozen=True, slots=True)
class OpenTrade:
    """A trade that the bot holds open."""

    trade_id: int
    pair: str
    direction: PositionSide
    signal_id: str | None
    """What its entry tag carries; None if that names no signal."""
    opened_at: datetime
    in_flight: bool
    """Whether an order of it is still open at the venue."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One disagreement between what was meant and what the bot holds."""

    kind: str
    pair: str
    trade_id: int | None
    message: str


def compare(
    trades: Sequence[OpenTrade],
    rows: Mapping[str, Execution],
    newest: Mapping[tuple[str, str, str], PublishedSignal],
    *,
    settled_before: datetime,
) -> list[Mismatch]:
    """Return where open trades disagree with the ledger and the newest signals.

    Parameters
    ----------
    trades
        What the bot holds open.
    rows
        Ledger rows by signal id: at least those of the trades' entries.
    newest
        The newest signal by (strategy, timeframe, pair).
    settled_before
        What happened later than this may still be on its way and is not judged.
    """
    found = (_judge(trade, rows, newest, settled_before) for trade in trades)
    return [mismatch for mismatch in found if mismatch is not None]


def unexplained_entries(
    rows: Sequence[Execution], trades: Sequence[OpenTrade], *, settled_before: datetime
) -> list[Execution]:
    """Return filled entries of which the bot holds no open trade and the ledger knows no exit.

    A stop or a person may have closed the trade: ask the bot before calling it a mismatch.
    """
    open_ids = {trade.trade_id for trade in trades}
    left = _left(rows)
    return [
        row
        for row in rows
        if row.state is ExecutionState.FILLED
        and row.side in _ENTRIES
        and row.trade_id is not None
        and row.trade_id not in open_ids | left
        and (row.filled_at or row.seen_at) <= settled_before
    ]


def _left(rows: Sequence[Execution]) -> frozenset[int]:
    """Return the trades that the ledger says were left through an exit signal."""
    return frozenset(
        row.trade_id
        for row in rows
        if row.trade_id is not None
        and row.state is ExecutionState.FILLED
        and row.side in ("exit_long", "exit_short")
    )


def _judge(
    trade: OpenTrade,
    rows: Mapping[str, Execution],
    newest: Mapping[tuple[str, str, str], PublishedSignal],
    settled_before: datetime,
) -> Mismatch | None:
    def mismatch(kind: str, message: str) -> Mismatch:
        return Mismatch(kind, trade.pair, trade.trade_id, f"trade {trade.trade_id}: {message}")

    row = rows.get(trade.signal_id) if trade.signal_id else None
    if row is None:
        if trade.opened_at > settled_before:
            return None
        tag = f"signal {trade.signal_id} is not in the ledger" if trade.signal_id else "no signal opened it"
        return mismatch("trade_without_signal", f"open {trade.direction} on {trade.pair}, but {tag}")
    meant = _ENTRIES.get(row.side or "")
    if meant is not None and trade.direction != meant:
        return mismatch("wrong_side", f"expected {meant} on {trade.pair}, found {trade.direction}")
    latest = newest.get((row.strategy_id, row.timeframe, trade.pair))
    if latest is None or trade.in_flight or latest.available_at > settled_before:
        return None
    states_a_position = latest.signal.action is not None or latest.signal.weight is not None
    wish = wish_of(latest.signal, _RULES)
    if latest.signal.origin != "live" or not states_a_position or trade.direction not in wish.leave:
        return None
    return mismatch(
        "open_against_signal",
        f"still {trade.direction} on {trade.pair}, but since {latest.available_at.isoformat()} "
        f"the newest signal of {row.strategy_id} asks to leave it",
    )
