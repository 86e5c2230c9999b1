"""The union of all sides: what differs, and what cannot be judged now; pure.

Unknown is never flat, and what cannot be judged is never called explained.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from quantbus_contracts.schema import AccountSnapshot
from quantbus_services.monitor.reconciliation.activity import moved_since
from quantbus_services.monitor.reconciliation.holdings import Tolerance, against_the_account
from quantbus_services.monitor.reconciliation.kinds import ACCOUNT_KINDS, Mismatch
from quantbus_services.monitor.reconciliation.meaning import against_the_signals
from quantbus_services.monitor.reconciliation.sides import Sides, base_of
from quantbus_services.monitor.reconciliation.standing_orders import against_the_orders
from quantbus_services.monitor.reconciliation.telling import against_its_rows

__all__ = ["AccountState", "Patience", "Reconciled", "reconcile"]

AccountState = Literal["dry_run", "not_named", "known", "partly", "unknown"]
_HOLDINGS = frozenset(("account_flat", "account_holds_unknown", "amount_differs", "account_side_differs"))
_ORDERS = frozenset(("order_unknown_to_bot", "order_left_open", "order_unknown_at_venue", "stop_missing"))


@dataclass(frozen=True, slots=True)
class Patience:
    """How long things may take, and what is no difference."""

    settle: timedelta = timedelta(seconds=60)
    """What happened within this time may still be on its way."""
    stale: timedelta = timedelta(seconds=60)
    """An older snapshot says nothing of the account now."""
    tolerance: Tolerance = field(default_factory=Tolerance)


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What came of comparing the sides once."""

    mismatches: tuple[Mismatch, ...]
    account: AccountState
    undecided_kinds: frozenset[str] = frozenset()
    """That could not be judged on any pair: a side of them is unknown."""
    moving: frozenset[str] = frozenset()
    """Pairs on which something is under way: not judged yet."""

    @property
    def sides(self) -> int:
        """How many sides were compared: two where the account's is missing."""
        return 3 if self.account in ("known", "partly") else 2

    def judged(self, kind: str, pair: str) -> bool:
        """Tell whether the absence of such a mismatch means that there is none."""
        if kind in self.undecided_kinds:
            return False
        if kind == "balance_differs":
            return not self.moving
        if kind not in ACCOUNT_KINDS and kind != "books_differ":
            return True
        return pair not in self.moving and base_of(pair) not in {base_of(name) for name in self.moving}


def reconcile(sides: Sides, now: datetime, patience: Patience) -> Reconciled:
    """Compare every side with every other over the union of their pairs, at ``now`` (the bus's clock)."""
    found = list(against_the_signals(sides, now - patience.settle))
    moving = moved_since(sides, now - patience.settle)
    restless = _restless(sides)
    found += against_its_rows(sides, moving | restless)
    state, reasons = _account_state(sides, now, patience.stale)
    undecided: frozenset[str] = frozenset()
    if state in ("unknown", "not_named"):
        undecided = ACCOUNT_KINDS - {"account_unknown"}
    elif state in ("known", "partly") and sides.account is not None:
        settled_before = min(now, sides.account.asked_at) - patience.settle
        moving |= moved_since(sides, settled_before)
        found += against_the_account(sides, sides.account, moving | restless, patience.tolerance)
        found += against_the_orders(sides, sides.account, moving, settled_before)
        undecided = _undecided(sides, sides.account)
    if reasons:
        name = sides.account_name or ""
        found.append(
            Mismatch("account_unknown", "", name, f"account {name} cannot be judged: {'; '.join(reasons)}")
        )
    return Reconciled(tuple(sorted(found)), state, undecided, moving | restless)


def _restless(sides: Sides) -> frozenset[str]:
    """Return the pairs with an order under way: until it ends, the bot's amount is not what it will be."""
    return frozenset(
        trade.pair
        for trade in sides.book.trades
        if trade.in_flight or any(order.is_open and order.purpose != "stop" for order in trade.orders)
    )


def _account_state(sides: Sides, now: datetime, stale: timedelta) -> tuple[AccountState, list[str]]:
    if sides.book.dry_run:
        return "dry_run", []
    if sides.account_name is None:
        return "not_named", []
    account = sides.account
    if account is None:
        return "unknown", ["nobody has read it; is the account service running?"]
    if now - account.at > stale:
        return "unknown", [f"it was last read at {account.at.isoformat()}"]
    if sides.book.market not in account.markets:
        return "unknown", [f"its {sides.book.market} side is not read (QUANTBUS_ACCOUNT_MARKETS)"]
    gaps = [gap for gap in account.unknown if gap.market == sides.book.market]
    if not gaps:
        return "known", []
    reasons = [f"{gap.part}: {gap.reason}" for gap in gaps]
    parts = {gap.part for gap in gaps}
    state: AccountState = "unknown" if {"balances", "orders"} <= parts else "partly"
    return state, reasons


def _undecided(sides: Sides, account: AccountSnapshot) -> frozenset[str]:
    market = sides.book.market
    found: frozenset[str] = frozenset()
    if not account.knows(market, "positions" if market == "swap" else "balances"):
        found |= _HOLDINGS
    if not account.knows(market, "balances"):
        found |= {"balance_differs"}
    if not account.knows(market, "orders"):
        found |= _ORDERS
    if not account.knows(market, "fills"):
        found |= {"fill_unknown_to_bot"}
    if market == "spot" and _without_prices(sides, account):
        found |= {"account_holds_unknown"}
    return found


def _without_prices(sides: Sides, account: AccountSnapshot) -> bool:
    """Tell whether no coin has a price: then nothing can be told from a rest."""
    coins = [
        one for one in account.balances if one.market == "spot" and one.currency != sides.book.stake_currency
    ]
    return bool(coins) and all(one.worth is None for one in coins)
