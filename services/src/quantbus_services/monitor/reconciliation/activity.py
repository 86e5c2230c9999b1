"""On which pairs something was under way, so that they are not judged yet; pure but for what it remembers."""

from collections import defaultdict
from collections.abc import Hashable, Iterator, Mapping
from datetime import datetime

from quantbus_contracts.schema import AccountSnapshot
from quantbus_services.monitor.reconciliation.sides import BotBook, Sides, base_of, market_of

__all__ = ["Memory", "moved_since"]

_FORGOTTEN_AFTER = 10_000
"""Pairs that are remembered at most; a bound, far above what one account trades."""


def moved_since(sides: Sides, moment: datetime) -> frozenset[str]:
    """Return the pairs on which anything happened after ``moment``, by whichever side says so."""
    return frozenset(pair for pair, at in _events(sides) if at > moment)


def _events(sides: Sides) -> Iterator[tuple[str, datetime]]:
    for trade in sides.book.trades:
        yield trade.pair, trade.opened_at
        for order in trade.orders:
            yield from ((trade.pair, at) for at in (order.placed_at, order.filled_at) if at is not None)
    for closed in sides.book.closed:
        yield closed.pair, closed.closed_at
    for fill in sides.told.fills:
        yield fill.pair, fill.filled_at
    for row in sides.meant.rows:
        yield from (
            (row.pair, at) for at in (row.accepted_at, row.ordered_at, row.filled_at) if at is not None
        )
    if sides.account is not None:
        for item in sides.account.fills:
            yield item.pair, item.at
        for order_ in sides.account.orders:
            if order_.placed_at is not None:
                yield order_.pair, order_.placed_at
    yield from sides.changed_at.items()


class Memory:
    """Remembers what each pair looked like, to tell when that changed.

    Other clocks may run apart from ours, and a trade that was closed a moment ago leaves nothing in the list of open
    ones: what changed since the last look is under way, whatever the times in it say.
    """

    def __init__(self) -> None:
        """Know nothing: what there is at the first look has been there."""
        self._before: dict[str, dict[str, Hashable]] = {}
        self._changed: dict[str, datetime] = {}

    def changes(
        self, book: BotBook, account: AccountSnapshot | None, now: datetime
    ) -> Mapping[str, datetime]:
        """Note both pictures at ``now``; return when each pair was last seen to change."""
        self._note("bot", _of_book(book), now)
        if account is not None and account.is_complete:  # a part that is unknown for once is no change
            self._note("account", _of_account(account, book.stake_currency), now)
        while len(self._changed) > _FORGOTTEN_AFTER:
            self._changed.pop(next(iter(self._changed)))
        return dict(self._changed)

    def _note(self, side: str, seen: dict[str, Hashable], now: datetime) -> None:
        before = self._before.get(side)
        self._before[side] = seen
        if before is None:
            return
        for pair in before.keys() | seen.keys():
            if before.get(pair) != seen.get(pair):
                self._changed[pair] = now


def _of_book(book: BotBook) -> dict[str, Hashable]:
    seen: defaultdict[str, list[Hashable]] = defaultdict(list)
    for trade in book.trades:
        orders = tuple((order.order_id, order.is_open) for order in trade.orders)
        seen[trade.pair].append((trade.trade_id, trade.direction, trade.amount, orders))
    return {pair: tuple(items) for pair, items in seen.items()}


def _of_account(account: AccountSnapshot, stake: str) -> dict[str, Hashable]:
    seen: defaultdict[str, list[Hashable]] = defaultdict(list)
    for held in account.positions:
        seen[held.pair].append((held.side, held.amount))
    for one in account.balances:
        if one.market == "spot" and one.currency != stake:
            seen[f"{one.currency}/{stake}"].append(one.total)
    for order in account.orders:
        seen[order.pair].append((order.order_id, order.filled))
    for fill in account.fills:
        if market_of(fill.pair) == "swap" or base_of(fill.pair):
            seen[fill.pair].append(fill.fill_id)
    return {pair: tuple(sorted(items, key=repr)) for pair, items in seen.items()}
