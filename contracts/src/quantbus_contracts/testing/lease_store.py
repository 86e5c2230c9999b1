"""Leases in memory, with the behaviour of the real store."""

from dataclasses import dataclass, field
from datetime import timedelta

from quantbus_contracts.clock import Clock, truncate_to_milliseconds
from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.schema import Lease, LeaseBid
from quantbus_contracts.testing.clock import FrozenClock

__all__ = ["FakeLeaseStore"]


@dataclass
class FakeLeaseStore:
    """Leases in memory. ``clock`` plays the server's; set ``down`` to make every method raise."""

    clock: Clock = field(default_factory=FrozenClock)
    down: bool = False
    leases: dict[str, Lease] = field(default_factory=dict)

    def take(self, bid: LeaseBid, *, over: bool = False) -> Lease:
        """Take or renew a lease if it is free, expired or this run's own; return the lease that stands now."""
        self._check()
        now = truncate_to_milliseconds(self.clock.now())
        found = self.leases.get(bid.account)
        renewed = found is not None and found.is_held_by(bid)
        taken_over = found is not None and over and found.holder == bid.holder
        if found is not None and found.expires_at > now and not (renewed or taken_over):
            return found
        who = bid.model_dump(exclude={"seconds"})
        taken_at = min(found.taken_at, now) if found is not None and renewed else now
        until = now + timedelta(seconds=bid.seconds)
        self.leases[bid.account] = Lease(**who, taken_at=taken_at, renewed_at=now, expires_at=until)
        return self.leases[bid.account]

    def give_up(self, bid: LeaseBid) -> bool:
        """Let the lease end now; tell whether this run held it."""
        self._check()
        found = self.leases.get(bid.account)
        if found is None or not found.is_held_by(bid):
            return False
        now = truncate_to_milliseconds(self.clock.now())
        self.leases[bid.account] = found.model_copy(update={"expires_at": max(now, found.renewed_at)})
        return True

    def all(self) -> list[Lease]:
        """Return every lease, expired ones too, by account."""
        self._check()
        return [self.leases[account] for account in sorted(self.leases)]

    def _check(self) -> None:
        if self.down:
            raise BusUnavailable("the bus is down (fake)")
