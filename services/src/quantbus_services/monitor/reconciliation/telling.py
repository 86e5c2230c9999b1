"""Whether the rows that the bot tells the bus are what its own database says; pure."""

from collections import defaultdict
from collections.abc import Iterator

from quantbus_services.monitor.reconciliation.kinds import Mismatch
from quantbus_services.monitor.reconciliation.sides import Sides

__all__ = ["against_its_rows"]

_SHARE = 0.005


def against_its_rows(sides: Sides, moving: frozenset[str]) -> Iterator[Mismatch]:
    """Yield the pairs whose `positions` row differs from the bot's open trades; a bot without any rows tells none."""
    if not sides.told.positions:
        return
    believed: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for trade in sides.book.trades:
        book = believed[trade.pair]
        book[trade.direction] = book.get(trade.direction, 0.0) + trade.amount
    rows = {row.pair: row for row in sides.told.positions}
    for pair in sorted((believed.keys() | rows.keys()) - moving):
        row, book = rows.get(pair), believed.get(pair, {})
        told = "flat" if row is None or row.side == "flat" else f"{row.side} {row.amount:.8g}"
        found = " and ".join(f"{side} {amount:.8g}" for side, amount in sorted(book.items())) or "flat"
        if row is None or row.side == "flat":
            differs = bool(book)
        else:
            amount = book.get(row.side)
            differs = (
                amount is None or len(book) > 1 or abs(amount - row.amount) > _SHARE * max(amount, row.amount)
            )
        if differs:
            yield Mismatch(
                "books_differ",
                pair,
                "",
                f"the bot's database says {found} on {pair}, but its row on the bus says {told}",
                f"{found}; {told}"[:200],
                row.strategy_id if row is not None else "",
            )
