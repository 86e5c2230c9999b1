"""Everything that stands between a decision and its order: the lease, the pair's open claims, the claim itself."""

import logging
from dataclasses import replace
from typing import cast

from quantbus_contracts.clock import Clock
from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import Execution, ExecutionState
from quantbus_executor.claims.claim import MOST_ATTEMPTS, Claim, ClaimState, Wish
from quantbus_executor.claims.lease import AccountLease
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.claims.resolution import Resolver
from quantbus_executor.claims.venue import Venue
from quantbus_executor.guard import fails_to
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.ledger.rows import accepted, entry_action, with_changes

__all__ = ["ClaimKeeper"]

logger = logging.getLogger(__name__)
_UNUSABLE = cast("Reason | None", Reason.NO_CLAIM)


class ClaimKeeper:
    """Lets each order pass once. Without a venue it is a dry run, without a lease nobody shares the account."""

    def __init__(
        self,
        register: ClaimRegister,
        resolver: Resolver,
        clock: Clock,
        *,
        venue: Venue | None = None,
        lease: AccountLease | None = None,
    ) -> None:
        """Keep claims in ``register``; it is closed by `end`."""
        self._register = register
        self._resolver = resolver
        self._clock = clock
        self._venue = venue
        self._lease = lease

    @fails_to(None)  # a claims file that cannot be read forbids entries (see `refusal`), not exits
    def resolve(self) -> None:
        """Find out about open claims; nothing of it asks the bus."""
        self._resolver.resolve()

    @fails_to(None)
    def tell(self, journal: Journal) -> None:
        """Renew the lease, and bring the ledger's rows in line with what became of claims."""
        if self._lease is not None:
            self._lease.renew()
        for claim in self._register.untold():
            row = journal.row(claim.wish.signal_id)
            if row is None:
                continue  # it is not read back from the bus yet
            told = _told(row, claim)
            if told is not row:
                journal.put(told)
            self._register.tell(claim)

    @fails_to(_UNUSABLE)
    def refusal(self, signal_id: str, pair: str, *, version: int | None = None) -> Reason | None:
        """Return why no order may be sent for a signal now; ``version`` is given for an increase."""
        if self._lease is not None and not self._lease.is_held:
            return Reason.NO_LEASE
        known = self._register.get(signal_id if version is None else f"{signal_id}:{version}")
        if known is not None and known.state in (ClaimState.PLACED, ClaimState.UNFILLED):
            return Reason.DUPLICATE
        if self._register.blocking(pair) is not None:
            return Reason.UNRESOLVED
        if known is not None and known.attempts >= MOST_ATTEMPTS:
            return Reason.ORDER_NOT_PLACED
        return None

    @fails_to(_UNUSABLE)
    def claim(self, wish: Wish) -> Reason | None:
        """Claim an order, on the disk before this returns; return why it must not be sent, None if it may."""
        version = wish.version if wish.trade_id is not None else None
        refusal = self.refusal(wish.signal_id, wish.pair, version=version)
        if refusal is None and not self._register.claim(self._as_ordered(wish), self._clock.now()):
            return Reason.DUPLICATE
        return refusal

    def is_open(self, signal_id: str) -> bool:
        """Tell whether it is not known yet if an order of this signal was placed."""
        return any(claim.wish.signal_id == signal_id for claim in self._register.in_state(ClaimState.OPEN))

    def may_try_again(self, signal_id: str) -> bool:
        """Tell whether it is sure that no order of this signal was ever placed."""
        known = self._register.get(signal_id)
        if known is None:
            return self._venue is None  # with an account, a claim that is missing says nothing
        return known.state is ClaimState.RELEASED and known.attempts < MOST_ATTEMPTS

    def detail(self) -> dict[str, int | bool]:
        """Return what the bot's sign of life says about claims."""
        told: dict[str, int | bool] = {
            f"claims_{state}": len(self._register.in_state(state))
            for state in (ClaimState.OPEN, ClaimState.UNKNOWN)
        }
        return told | ({"lease_held": self._lease.is_held} if self._lease is not None else {})

    def end(self) -> None:
        """Give up the lease and the file."""
        if self._lease is not None:
            self._lease.end()
        self._register.close()

    def _as_ordered(self, wish: Wish) -> Wish:
        if self._venue is None:
            return wish
        return replace(wish, amount=self._venue.as_ordered(wish.pair, wish.amount))


def _told(row: Execution, claim: Claim) -> Execution:
    """Return the row with what became of its signal's claim."""
    fill_stands = row.state is ExecutionState.FILLED
    unaccounted = claim.state is ClaimState.PLACED and claim.order_id is None  # a person looks after it
    if (claim.state is ClaimState.UNKNOWN or unaccounted) and not fill_stands:
        return with_changes(row, {"state": ExecutionState.UNKNOWN, "reason": Reason.UNRESOLVED})
    increases = claim.wish.trade_id is not None
    if fill_stands or (increases and row.version != claim.wish.version):
        return row  # what an earlier revision added stands with its trade
    match claim.state:
        case ClaimState.OPEN if row.state is ExecutionState.SEEN:  # the process died before it noted as much
            return _as_accepted(row, claim)
        case ClaimState.PLACED if row.state in (ExecutionState.SEEN, ExecutionState.UNKNOWN):
            return _as_accepted(with_changes(row, {"state": ExecutionState.SEEN}), claim)
        case ClaimState.UNFILLED if row.state is not ExecutionState.REJECTED:
            return with_changes(row, {"state": ExecutionState.REJECTED, "reason": Reason.ORDER_CANCELLED})
        case ClaimState.RELEASED if row.state is ExecutionState.UNKNOWN or _is_accepted(row, claim):
            if claim.attempts >= MOST_ATTEMPTS:
                return with_changes(
                    row, {"state": ExecutionState.REJECTED, "reason": Reason.ORDER_NOT_PLACED}
                )
            return with_changes(row, {"state": ExecutionState.SEEN, "accepted_at": None, "reason": None})
        case _:
            return row


def _as_accepted(row: Execution, claim: Claim) -> Execution:
    action, trade_id = entry_action(claim.wish.side), claim.wish.trade_id
    if trade_id is None:
        return accepted(row, action, claim.claimed_at)
    taken = accepted(row, action, claim.claimed_at, Reason.RESIZED)
    return with_changes(taken, {"trade_id": trade_id})


def _is_accepted(row: Execution, claim: Claim) -> bool:
    return row.state is ExecutionState.ACCEPTED and row.side == entry_action(claim.wish.side)
