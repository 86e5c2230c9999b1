"""One entry per signal, ever: no signal opens a second trade, whatever was restarted, revised or published again.

Whether an order may be sent is asked twice: when it is offered, and right before it goes out. The second time it is
claimed as well, so that nothing that happens to this process afterwards can let it be sent again.
"""

from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import ExecutionState
from quantbus_executor.claims.claim import Wish
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import is_acted_entry, is_final
from quantbus_executor.trades.book import TradeBook, TradeRecord
from quantbus_executor.trades.tags import entry_tag, resize_tag

__all__ = ["EntryGate"]


class EntryGate:
    """Asks Freqtrade's own trades first, what was claimed, and what this process already decided besides."""

    def __init__(self, book: TradeBook, journal: Journal, claims: ClaimKeeper | None = None) -> None:
        """Judge by ``book`` and ``claims`` (they survive everything) and ``journal`` (it knows what is on its way).

        Without ``claims``, as over the past, an order is whatever it is decided to be.
        """
        self._book = book
        self._journal = journal
        self._claims = claims

    def refusal(self, signal_id: str, version: int, pair: str) -> Reason | None:
        """Return why this revision of a signal may not open a trade; None if it may."""
        if self._book.tagged(entry_tag(signal_id)):
            return Reason.DUPLICATE
        refusal = self._claims.refusal(signal_id, pair) if self._claims is not None else None
        if refusal is not None:
            return refusal
        row = self._journal.row(signal_id)
        if row is None:
            return None
        if is_acted_entry(row):
            return Reason.DUPLICATE
        if is_final(row) and row.version >= version:
            return _known(row.reason)
        return None

    def claim(self, wish: Wish) -> Reason | None:
        """Claim an order right before it is sent; return why it must not be, None if it may.

        Once this has returned None the order may be at the venue, whatever happens next.
        """
        return self._claims.claim(wish) if self._claims is not None else None

    def refusal_to_increase(self, trade: TradeRecord, signal_id: str, version: int) -> Reason | None:
        """Return why this revision of a signal may not increase an open position; None if it may.

        Asked right before the order. A revision buys once: the entry itself, or one increase.
        """
        if any(order.ft_order_tag == resize_tag(signal_id, version) for order in trade.orders):
            return Reason.DUPLICATE
        row = self._journal.row(signal_id)
        if row is None:
            return Reason.NOT_OFFERED  # what was decided about it before is not known yet
        if row.version >= version and row.state is not ExecutionState.SEEN:
            return Reason.DUPLICATE
        return None


def _known(reason: str | None) -> Reason:
    try:
        return Reason(reason) if reason else Reason.DUPLICATE
    except ValueError:  # a word of another version: that it was decided stands all the same
        return Reason.DUPLICATE
