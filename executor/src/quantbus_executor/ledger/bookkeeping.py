"""Brings the ledger in line with Freqtrade's own trades: on every fill, every loop, and after a restart."""

import logging
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusUnavailable, ConfigError, QuantbusError
from quantbus_contracts.policy import PositionSide, Reason, TradingRules, final_reason, tolerance_end
from quantbus_contracts.ports import ExecutionReader, SignalReader
from quantbus_contracts.schema import FINAL_STATES, Execution, ExecutionState, PublishedSignal
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import (
    entry_action,
    exit_action,
    is_acted_entry,
    refused,
    seen,
    with_changes,
)
from quantbus_executor.ledger.settlement import settled, signal_of_order
from quantbus_executor.trades.book import OrderRecord, TradeBook, TradeRecord
from quantbus_executor.trades.claimed import UNCLAIMED, Claimed
from quantbus_executor.trades.tags import (
    entry_tag,
    reason_of_exit_tag,
    signal_of_entry_tag,
    signal_of_resize_tag,
    version_of_resize_tag,
)

__all__ = ["Bookkeeper"]

logger = logging.getLogger(__name__)
_TRADES_LOOKED_BACK = 200
_LOOK_BACK = timedelta(days=1)
_RETRY = timedelta(seconds=10)
_ORDER_IN_PROGRESS = timedelta(seconds=30)
"""A person's order comes through another thread: an accepted entry may be without a trade for this long."""


_UNFINISHED = frozenset(ExecutionState) - FINAL_STATES


@dataclass(frozen=True, slots=True)
class _Missing:
    """An order that Freqtrade has and the ledger may lack."""

    trade_id: int
    signal_id: str
    entry: bool
    reason: str | None
    placed_at: datetime
    version: int
    """The revision that the order names; 0 where it names none."""


class Bookkeeper:
    """Knows what Freqtrade did; asks the bus only for what a restart made it forget."""

    def __init__(
        self,
        book: TradeBook,
        journal: Journal,
        *,
        signals: SignalReader,
        ledger: ExecutionReader,
        clock: Clock,
        rules: TradingRules,
        claimed: Claimed = UNCLAIMED,
    ) -> None:
        """Compare ``book`` with ``journal``; ``signals`` and ``ledger`` are read after a restart.

        What is ``claimed`` and not yet found out about is left as it is.
        """
        self._claimed = claimed
        self._book = book
        self._journal = journal
        self._signals = signals
        self._ledger = ledger
        self._clock = clock
        self._rules = rules
        self._started_at = clock.now()
        self._recover_at: datetime | None = self._started_at
        self._missing: deque[_Missing] | None = None
        self._restored = list(journal.restored)

    def recover(self) -> None:
        """Take over, once after a start, what this consumer never brought to an end: from the disk, and from the bus.

        On the bus it looks at the last day; on the disk is all that an earlier process of this bot left unfinished.
        """
        now = self._clock.now()
        if self._restored:
            restored, self._restored = self._restored, []
            self._reconsider(restored)
        if self._recover_at is None or now < self._recover_at:
            return
        self._recover_at = now + _RETRY
        try:
            rows = self._ledger.since(
                now - _LOOK_BACK, consumer_id=self._journal.consumer_id, states=_UNFINISHED
            )
        except (QuantbusError, ValueError) as error:  # ValueError: a row that this version cannot read
            logger.warning("the ledger could not be read back; trying again soon: %s", error)
            return
        self._recover_at = None
        self._adopt(rows)

    def with_known_past(self, heard: Iterable[PublishedSignal], budget: timedelta) -> list[PublishedSignal]:
        """Return the signals of which it is known what was decided about them before.

        What may have been decided before this process, or before what it remembers, is read back from the bus; a
        signal for which there was no time or no answer has to wait for the next loop.
        """
        known = []
        deadline = self._clock.now() + budget
        for published in heard:
            if self._may_have_a_past(published):
                if self._clock.now() >= deadline:
                    continue
                try:
                    self._row_on_bus(published.signal_id)
                except (BusUnavailable, ConfigError) as error:
                    logger.debug("what was decided about %s is read later: %s", published.signal_id, error)
                    deadline = self._clock.now()
                    continue
                except (QuantbusError, ValueError) as error:
                    logger.error("the ledger row of signal %s is unreadable: %s", published.signal_id, error)
                    continue
            known.append(published)
        return known

    def settle(self, now: datetime) -> None:
        """Note what became of everything that was accepted."""
        for row in self._journal.unsettled():
            trade = self._trade_of(row)
            if is_acted_entry(row) and self._claimed.is_open(row.signal_id):
                continue
            accepted_at = row.accepted_at or row.seen_at
            if trade is None and is_acted_entry(row) and now - accepted_at < _ORDER_IN_PROGRESS:
                continue
            self._journal.put(settled(row, trade, self._journal.ref_price(row.signal_id)))

    def end_unheard(self, heard: Collection[str], now: datetime) -> None:
        """End what waited in pairs that are followed no more, once an entry would come too late."""
        for row in self._journal.waiting():
            if row.pair not in heard and now >= tolerance_end(row.ts, row.timeframe, self._rules):
                late = final_reason(row.reason, Reason.STALE) if _is_entry(row) else Reason.NOTHING_TO_EXIT
                self._journal.put(refused(row, late))

    def note_fill(self, trade: TradeRecord, order: OrderRecord) -> Execution | None:
        """Note that an order of ``trade`` has filled; return the row if a known signal caused it."""
        signal_id = signal_of_order(order)
        row = self._journal.row(signal_id) if signal_id is not None else None
        if row is None or signal_id is None:
            if signal_id is not None and self._missing is not None:  # an order from before a restart
                self._missing.append(_missing_of(trade, order, signal_id))
            return None
        row = settled(row, trade, self._journal.ref_price(signal_id))
        self._journal.put(row)
        return row

    def rebuild(self, budget: timedelta) -> None:
        """Write the rows of trades that the ledger lacks, for at most about ``budget``."""
        plan = self._plan()
        deadline = self._clock.now() + budget
        while plan and self._clock.now() < deadline:
            try:
                self._rebuild_one(plan[0])
            except (BusUnavailable, ConfigError) as error:
                logger.debug("rebuilding the ledger goes on later: %s", error)
                return
            except (QuantbusError, ValueError) as error:  # a row that is none: it must not hold the others up
                logger.error("the ledger row of signal %s cannot be rebuilt: %s", plan[0].signal_id, error)
            plan.popleft()

    def _may_have_a_past(self, published: PublishedSignal) -> bool:
        if self._journal.row(published.signal_id) is not None:
            return False
        begin = max(self._started_at, self._journal.forgotten_until or self._started_at)
        return published.version > 1 or published.available_at <= begin

    def _adopt(self, rows: Sequence[Execution]) -> None:
        self._reconsider(self._journal.adopt(rows))

    def _reconsider(self, rows: Iterable[Execution]) -> None:
        for row in rows:
            if row.state is not ExecutionState.ACCEPTED or not is_acted_entry(row):
                continue
            # Killed between the decision and the order: tried again only where there surely was no order.
            if self._trade_of(row) is None and self._claimed.may_try_again(row.signal_id):
                self._journal.put(with_changes(row, {"state": ExecutionState.SEEN, "accepted_at": None}))

    def _trade_of(self, row: Execution) -> TradeRecord | None:
        if _is_entry(row) and row.reason != Reason.RESIZED:
            trades = self._book.tagged(entry_tag(row.signal_id))
            return trades[-1] if trades else None
        return self._book.trade(row.trade_id) if row.trade_id is not None else None

    def _plan(self) -> deque[_Missing]:
        if self._missing is None:
            self._missing = deque(
                _missing_of(trade, order, signal_id)
                for trade in self._book.latest(_TRADES_LOOKED_BACK)
                for order in trade.orders
                if (signal_id := signal_of_order(order)) is not None
            )
        return self._missing

    def _rebuild_one(self, missing: _Missing) -> None:
        row = self._journal.row(missing.signal_id) or self._row_on_bus(missing.signal_id)
        if row is not None and missing.reason == Reason.REVERSAL and _has_turned(row):
            return  # what follows on the exit is known already
        known = row is not None and row.state in (ExecutionState.FILLED, ExecutionState.REJECTED)
        followed = row is not None and missing.version > row.version
        if row is not None and known and not followed and (missing.entry or not _is_entry(row)):
            return  # only an exit may follow on an entry in the same row: a signal revised after it was traded
        trade = self._book.trade(missing.trade_id)
        published = self._signals.get(missing.signal_id)
        if trade is None or published is None:
            return
        traded = published.as_of(missing.placed_at) or published
        if row is not None and missing.entry and row.version > traded.version:
            return  # the row has gone on to a later revision
        self._journal.put(self._row_from_trade(missing, trade, traded), traded.signal.ref_price)

    def _row_on_bus(self, signal_id: str) -> Execution | None:
        rows = [
            row for row in self._ledger.of_signal(signal_id) if row.consumer_id == self._journal.consumer_id
        ]
        self._adopt(rows)
        return rows[0] if rows else None

    def _row_from_trade(self, missing: _Missing, trade: TradeRecord, traded: PublishedSignal) -> Execution:
        row = self._journal.row(missing.signal_id) or seen(
            traded,
            None,
            consumer_id=self._journal.consumer_id,
            now=missing.placed_at,
            rules=self._rules,
        )
        side: PositionSide = "short" if trade.is_short else "long"
        ordered = {
            "version": missing.version or max(row.version, traded.version),
            "side": entry_action(side) if missing.entry else exit_action(side),
            "state": ExecutionState.ORDERED,
            "reason": missing.reason,
            "trade_id": trade.id,
        }
        return settled(with_changes(row, ordered), trade, traded.signal.ref_price)


def is_entry_order(trade: TradeRecord, order: OrderRecord) -> bool:
    """Tell whether a signal's order opens or increases a position."""
    if signal_of_resize_tag(order.ft_order_tag) is not None:
        return order.ft_order_side == ("sell" if trade.is_short else "buy")
    return signal_of_entry_tag(order.ft_order_tag) is not None


def _is_entry(row: Execution) -> bool:
    return row.side in ("enter_long", "enter_short")


def _has_turned(row: Execution) -> bool:
    return _is_entry(row) and (row.state is not ExecutionState.SEEN or bool(row.order_ids))


def _missing_of(trade: TradeRecord, order: OrderRecord, signal_id: str) -> _Missing:
    version = version_of_resize_tag(order.ft_order_tag)
    reason = reason_of_exit_tag(order.ft_order_tag) if version is None else Reason.RESIZED.value
    return _Missing(
        trade.id, signal_id, is_entry_order(trade, order), reason, order.order_date_utc, version or 0
    )
