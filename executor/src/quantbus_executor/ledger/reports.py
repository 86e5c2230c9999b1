"""Tells the bus what Freqtrade's own books say: fills, positions, balances.

Freqtrade's database is the truth. After a start its latest trades are told again, equal rows being no writes: so what
an outage or a kill kept from the bus arrives all the same.
"""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import isfinite

from pydantic import ValidationError

from quantbus_contracts.ports import AccountBooks
from quantbus_contracts.schema import Balance, Fill, FillPurpose, Holding
from quantbus_executor.ledger.outbox import Outbox
from quantbus_executor.ledger.sending import Sender
from quantbus_executor.ledger.settlement import signal_of_order
from quantbus_executor.trades.book import OrderRecord, TradeBook, TradeRecord
from quantbus_executor.trades.house_rules import Wallet
from quantbus_executor.trades.tags import signal_of_entry_tag

__all__ = ["Reporter", "Reports"]

logger = logging.getLogger(__name__)
_TRADES_LOOKED_BACK = 200
_EVERY = timedelta(seconds=5)
_State = Holding | Balance


@dataclass(frozen=True, slots=True)
class Reporter:
    """Whose books these are."""

    consumer_id: str
    strategy_id: str
    dry_run: bool


class Reports:
    """Lays into the outbox what changed, and sends it."""

    def __init__(self, reporter: Reporter, book: TradeBook, outbox: Outbox, books: AccountBooks) -> None:
        """Tell ``books`` through ``outbox`` what ``book`` says."""
        self._reporter = reporter
        self._book = book
        self._outbox = outbox
        self._senders = (
            Sender(outbox, "fill", Fill.model_validate_json, books.record),
            Sender(outbox, "position", Holding.model_validate_json, books.record),
            Sender(outbox, "balance", Balance.model_validate_json, books.record),
        )
        self._told: dict[tuple[str, str], _State] = {}
        self._held: set[str] | None = None
        self._again_at: datetime | None = None

    def on_fill(self, trade: TradeRecord, order: OrderRecord) -> None:
        """Note a fill."""
        if (fill := _fill(self._reporter, trade, order)) is not None:
            self._outbox.lay("fill", "|".join(fill.key), fill.model_dump_json(exclude_none=True))

    def on_loop(self, wallets: Mapping[str, Wallet], now: datetime) -> None:
        """Note positions and balances, at most every few seconds; right after a start, past fills as well."""
        if self._again_at is not None and now < self._again_at:
            return
        self._again_at = now + _EVERY
        with self._outbox.together():
            trades = self._book.open_trades()
            if self._held is None:
                self._held = self._tell_the_past(trades)
            self._note_positions(trades, self._held, now)
            self._held = {trade.pair for trade in trades}
            for currency, wallet in wallets.items():
                self._note_balance(currency, wallet, now)
            if wallets:  # none at all is no answer
                self._note_gone(wallets.keys(), now)

    def flush(self) -> bool:
        """Send what the bus has not taken yet; return whether it took all."""
        return all([sender.flush() for sender in self._senders])

    def _tell_the_past(self, open_trades: Sequence[TradeRecord]) -> set[str]:
        """Note the fills of the latest trades; return the pairs that the bus may believe to be held."""
        latest = {trade.id: trade for trade in (*self._book.latest(_TRADES_LOOKED_BACK), *open_trades)}
        for trade in latest.values():
            for order in trade.orders:
                self.on_fill(trade, order)
        return {trade.pair for trade in latest.values()}

    def _note_positions(self, trades: Iterable[TradeRecord], before: set[str], now: datetime) -> None:
        held = {trade.pair: _holding(self._reporter, trade, now) for trade in trades}
        for pair in before - held.keys():
            held[pair] = _flat(self._reporter, pair, now)
        for holding in held.values():
            self._lay("position", holding)

    def _note_balance(self, currency: str, wallet: Wallet, now: datetime) -> None:
        if not (isfinite(wallet.total) and isfinite(wallet.free)):
            return
        balance = Balance(
            consumer_id=self._reporter.consumer_id,
            currency=currency,
            total=float(wallet.total),
            free=float(wallet.free),
            at=now,
            dry_run=self._reporter.dry_run,
        )
        self._lay("balance", balance)

    def _note_gone(self, there: Collection[str], now: datetime) -> None:
        """Note that nothing is left of a currency: where there is nothing of it, Freqtrade names it no more."""
        for entry in list(self._told.values()):
            if isinstance(entry, Balance) and entry.currency not in there:
                self._lay("balance", entry.model_copy(update={"total": 0.0, "free": 0.0, "at": now}))

    def _lay(self, kind: str, entry: _State) -> None:
        """Lay an entry into the outbox if it says something else than the last one."""
        key = "|".join(entry.key)
        former = self._told.get((kind, key))
        if former is None or _without_time(former) != _without_time(entry):
            self._told[kind, key] = entry
            self._outbox.lay(kind, key, entry.model_dump_json(exclude_none=True))


def _without_time(entry: _State) -> dict[str, object]:
    return entry.model_dump(exclude={"at"})


def _fill(reporter: Reporter, trade: TradeRecord, order: OrderRecord) -> Fill | None:
    """Return what was filled of an order; None where that is nothing, or no sound number."""
    if not order.safe_filled or order.ft_is_open:
        return None
    entering = "sell" if trade.is_short else "buy"
    purpose: FillPurpose = "entry" if order.ft_order_side == entering else "exit"
    buying = order.ft_order_side == "buy" or (order.ft_order_side == "stoploss" and trade.is_short)
    try:
        return Fill(
            consumer_id=reporter.consumer_id,
            strategy_id=reporter.strategy_id,
            pair=trade.pair,
            order_id=order.order_id,
            trade_id=trade.id,
            signal_id=signal_of_order(order),
            tag=order.ft_order_tag or None,
            side="buy" if buying else "sell",
            purpose="stop" if order.ft_order_side == "stoploss" else purpose,
            amount=float(order.safe_filled),
            price=float(order.safe_price),
            ordered_at=order.order_date_utc,
            filled_at=order.order_filled_utc or order.order_date_utc,
            dry_run=reporter.dry_run,
        )
    except (ValidationError, TypeError) as error:
        logger.warning("order %s of %s cannot be told to the bus: %s", order.order_id, trade.pair, error)
        return None


def _holding(reporter: Reporter, trade: TradeRecord, now: datetime) -> Holding:
    amount = float(trade.amount or 0.0)
    return Holding(
        consumer_id=reporter.consumer_id,
        strategy_id=reporter.strategy_id,
        pair=trade.pair,
        side=("short" if trade.is_short else "long") if amount > 0 else "flat",
        amount=amount,
        stake=float(trade.stake_amount or 0.0) if amount > 0 else 0.0,
        entry_price=float(trade.open_rate) if amount > 0 and trade.open_rate else None,
        leverage=max(1.0, float(trade.leverage)) if trade.leverage else None,
        stop_price=float(trade.stop_loss) if trade.stop_loss and trade.stop_loss > 0 else None,
        trade_id=trade.id,
        signal_id=signal_of_entry_tag(trade.enter_tag),
        opened_at=trade.open_date_utc,
        at=now,
        dry_run=reporter.dry_run,
    )


def _flat(reporter: Reporter, pair: str, now: datetime) -> Holding:
    return Holding(
        consumer_id=reporter.consumer_id,
        strategy_id=reporter.strategy_id,
        pair=pair,
        side="flat",
        at=now,
        dry_run=reporter.dry_run,
    )
