"""Whether the bot's trades are what signals and ledger say they should be; pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime

from quantbus_contracts import Execution
from quantbus_contracts.policy import PositionSide, TradingRules, wish_of
from quantbus_contracts.schema import ExecutionState
from quantbus_services.monitor.reconciliation.kinds import Mismatch
from quantbus_services.monitor.reconciliation.sides import OpenTrade, Sides

__all__ = ["against_the_signals", "unexplained_entries"]

_RULES = TradingRules()  # only scores depend on a consumer's rules, and scores are not judged here
_ENTRIES: Mapping[str, PositionSide] = {"enter_long": "long", "enter_short": "short"}
_UNDER_WAY = (ExecutionState.ACCEPTED, ExecutionState.ORDERED)


def against_the_signals(sides: Sides, settled_before: datetime) -> Iterator[Mismatch]:
    """Yield where open trades, the ledger and the newest signals disagree.

    What happened later than ``settled_before`` may still be on its way and is not judged. Filled entries that the
    bot has no trade of are `unexplained_entries`: they take a question to the bot.
    """
    rows = {row.signal_id: row for row in sides.meant.rows}
    for trade in sides.book.trades:
        mismatch = _of_trade(trade, rows, sides, settled_before)
        if mismatch is not None:
            yield mismatch
    yield from _entries_without_trade(sides, settled_before)
    yield from _duplicates(sides)


def unexplained_entries(sides: Sides, settled_before: datetime) -> list[Execution]:
    """Return filled entries of which the bot holds no open trade, has closed none lately, and the ledger has no exit.

    A stop or a person may have closed the trade long ago: ask the bot before calling it a mismatch.
    """
    rows = sides.meant.rows
    left = {
        (row.trade_id, row.pair)
        for row in rows
        if row.state is ExecutionState.FILLED and row.side in ("exit_long", "exit_short")
    }
    # The pair is looked at too: a database that was replaced begins to count trades anew.
    explained = left | {(trade.trade_id, trade.pair) for trade in sides.book.every}
    return [
        row
        for row in rows
        if row.state is ExecutionState.FILLED
        and row.side in _ENTRIES
        and row.trade_id is not None
        and (row.trade_id, row.pair) not in explained
        and (row.filled_at or row.seen_at) <= settled_before
    ]


def _of_trade(
    trade: OpenTrade, rows: Mapping[str, Execution], sides: Sides, settled_before: datetime
) -> Mismatch | None:
    row = rows.get(trade.signal_id) if trade.signal_id else None
    strategy_id = row.strategy_id if row else ""

    def mismatch(kind: str, message: str) -> Mismatch:
        about, told = f"#{trade.trade_id}", f"trade {trade.trade_id}: {message}"
        return Mismatch(kind, trade.pair, about, told, trade.direction, strategy_id)

    if row is None:
        if trade.opened_at > settled_before:
            return None
        others = sides.meant.elsewhere.get(trade.signal_id or "", ())
        if others:
            return mismatch(
                "trade_of_another_consumer",
                f"open {trade.direction} on {trade.pair}, but its signal {trade.signal_id} was taken by "
                f"{', '.join(others)} and not by {sides.consumer_id}",
            )
        tag = f"signal {trade.signal_id} is not in the ledger" if trade.signal_id else "no signal opened it"
        return mismatch("trade_without_signal", f"open {trade.direction} on {trade.pair}, but {tag}")
    meant = _ENTRIES.get(row.side or "")
    if meant is not None and trade.direction != meant:
        return mismatch("wrong_side", f"expected {meant} on {trade.pair}, found {trade.direction}")
    latest = sides.meant.newest.get((row.strategy_id, row.timeframe, trade.pair))
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


def _entries_without_trade(sides: Sides, settled_before: datetime) -> Iterator[Mismatch]:
    carried = {trade.signal_id for trade in sides.book.every}
    for row in sides.meant.rows:
        began = row.ordered_at or row.accepted_at or row.seen_at
        if (
            row.state in _UNDER_WAY
            and row.side in _ENTRIES
            and row.signal_id not in carried
            and began <= settled_before
        ):
            yield Mismatch(
                "signal_without_trade",
                row.pair,
                row.signal_id,
                f"the ledger says that {sides.consumer_id} has {row.state.value} signal {row.signal_id} since "
                f"{began.isoformat()}, but it has no trade of it",
                strategy_id=row.strategy_id,
            )


def _duplicates(sides: Sides) -> Iterator[Mismatch]:
    trades: defaultdict[str, set[int]] = defaultdict(set)
    pairs: dict[str, str] = {}
    for trade in sides.book.every:
        if trade.signal_id:
            trades[trade.signal_id].add(trade.trade_id)
            pairs[trade.signal_id] = trade.pair
    still_open = {trade.signal_id for trade in sides.book.trades}
    for signal_id, numbers in trades.items():
        if len(numbers) > 1 and signal_id in still_open:
            told = ", ".join(map(str, sorted(numbers)))
            yield Mismatch(
                "duplicate_trades",
                pairs[signal_id],
                signal_id,
                f"expected one trade of signal {signal_id}, found the trades {told}",
                told,
            )
