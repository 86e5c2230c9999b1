"""One live bot for an account: a lease on the bus, renewed each loop; without it nothing is entered."""

import logging
import platform
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError, QuantbusError
from quantbus_contracts.ports import LeaseStore
from quantbus_contracts.schema import Lease, LeaseBid

__all__ = ["AccountLease"]

logger = logging.getLogger(__name__)
_MARGIN = 0.2
"""Part of the lease that is left unused: what was confirmed with it must be ordered before it ends."""


class AccountLease:
    """Whether this bot may trade its account now; by our own clock, counted from before the bus was asked."""

    def __init__(
        self, store: LeaseStore, clock: Clock, *, account: str, consumer_id: str, holder: str, process: str
    ) -> None:
        """Hold nothing yet; ``holder`` is the claims file, ``process`` this run of the bot."""
        self._store = store
        self._clock = clock
        self._bid = LeaseBid(
            account=account,
            consumer_id=consumer_id,
            holder=holder,
            process=process,
            host=platform.node()[:128] or "unknown",
            seconds=30.0,
        )
        self._held: tuple[datetime, datetime] | None = None
        """Since when and until when; a clock that was set back to before it says nothing about it."""
        self._lost_to: str | None = None

    def begin(self) -> None:
        """Take the lease, also from an earlier run of this bot; a bus that is away is asked again in each loop.

        Raises
        ------
        ConfigError
            If another bot trades the account.
        """
        lease = self._ask(over=True)
        if lease is not None and not lease.is_held_by(self._bid):
            raise ConfigError(
                f"expected account {lease.account} for this bot alone, found consumer {lease.consumer_id} trading it "
                f"(host {lease.host}, until {lease.expires_at:%H:%M:%S} UTC unless it renews): two bots on one account "
                "order twice; stop the other one, or wait until its lease has expired"
            )

    def renew(self) -> None:
        """Keep the lease for as long again, or take it once it is free."""
        self._ask(over=False)

    @property
    def is_held(self) -> bool:
        """Whether the account is ours for long enough to order something."""
        return self._held is not None and self._held[0] <= self._clock.now() < self._held[1]

    def end(self) -> None:
        """Give the account up at once."""
        self._held = None
        try:
            self._store.give_up(self._bid)
        except QuantbusError as error:
            logger.debug("the lease is left to expire: %s", error)

    def _ask(self, *, over: bool) -> Lease | None:
        asked_at = self._clock.now()
        try:
            lease = self._store.take(self._bid, over=over)
        except QuantbusError as error:
            logger.debug("the lease of account %s is not renewed: %s", self._bid.account, error)
            return None
        if lease.is_held_by(self._bid):
            self._held = (asked_at, asked_at + timedelta(seconds=self._bid.seconds * (1 - _MARGIN)))
            self._note_held()
        else:
            self._held = None
            self._note_lost(lease)
        return lease

    def _note_held(self) -> None:
        if self._lost_to is not None:
            logger.warning("account %s is ours again", self._bid.account)
            self._lost_to = None

    def _note_lost(self, lease: Lease) -> None:
        who = f"consumer {lease.consumer_id} on host {lease.host}"
        if self._lost_to != who:
            self._lost_to = who
            logger.error("NO ENTRIES: account %s is traded by %s now", lease.account, who)
