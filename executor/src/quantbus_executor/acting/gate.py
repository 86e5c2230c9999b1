"""One entry per signal, ever: no signal opens a second trade, whatever was restarted, revised or published again."""

from quantbus_contracts.policy import Reason
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import is_acted_entry, is_final
from quantbus_executor.trades.book import TradeBook
from quantbus_executor.trades.tags import entry_tag

__all__ = ["EntryGate"]


class EntryGate:
    """Asks Freqtrade's own trades first, and what this process already decided besides."""

    def __init__(self, book: TradeBook, journal: Journal) -> None:
        """Judge by ``book`` (it survives everything) and ``journal`` (it knows what is on its way)."""
        self._book = book
        self._journal = journal

    def refusal(self, signal_id: str, version: int) -> Reason | None:
        """Return why this revision of a signal may not open a trade; None if it may."""
        if self._book.tagged(entry_tag(signal_id)):
            return Reason.DUPLICATE
        row = self._journal.row(signal_id)
        if row is None:
            return None
        if is_acted_entry(row):
            return Reason.DUPLICATE
        if is_final(row) and row.version >= version:
            return _known(row.reason)
        return None


def _known(reason: str | None) -> Reason:
    try:
        return Reason(reason) if reason else Reason.DUPLICATE
    except ValueError:  # a word of another version: that it was decided stands all the same
        return Reason.DUPLICATE
