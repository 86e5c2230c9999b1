"""What a live bot says on the bus: the executor's own claims file, lease and sign of life, without Freqtrade."""

import threading
from pathlib import Path
from typing import cast

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.leases import LeaseStore
from quantbus_executor.claims.claim import ClaimState, Wish
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.claims.lease import AccountLease
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.claims.resolution import Resolver
from quantbus_executor.heartbeat import Pulse
from quantbus_executor.trades.book import TradeBook

_LOOP_SECONDS = 2.0
_NEVER_ASKED = cast(TradeBook, None)


class BotOnPaper:
    """Renews its lease and beats, in a thread, until closed."""

    def __init__(self, connection: Connection, folder: Path, *, account: str, consumer: str) -> None:
        self._clock = SystemClock()
        self._register = ClaimRegister(folder / "claims.sqlite")
        self._lease = self._bid(connection, account, consumer)
        self._rival = self._bid(connection, account, "somebody-else")
        resolver = Resolver(self._register, _NEVER_ASKED, self._clock, None)
        self._keeper = ClaimKeeper(self._register, resolver, self._clock, lease=self._lease)
        self._pulse = Pulse(HeartbeatStore(connection), consumer, self._clock.now())
        self._hung = threading.Event()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._lease.begin()
        self._thread.start()

    def lose_an_answer(self) -> None:
        """Send an order of which nobody can find out whether the venue has it."""
        wish = Wish(signal_id="f" * 24, version=1, pair="BTC/USDT", side="long", amount=0.01, rate=100.0)
        assert self._register.claim(wish, self._clock.now())
        (claim,) = self._register.in_state(ClaimState.OPEN)
        assert self._register.settle(claim, ClaimState.UNKNOWN, self._clock.now(), note="no answer came")

    def lose_the_account(self) -> None:
        """Hang in a request for so long that another bot takes the account over."""
        self._hung.set()

    def close(self) -> None:
        self._stop.set()
        self._thread.join(30)
        self._keeper.end()

    def _run(self) -> None:
        while not self._stop.wait(_LOOP_SECONDS):
            if self._hung.is_set():
                self._rival.renew()
            if not self._hung.is_set() or self._rival.is_held:
                self._lease.renew()
            self._pulse.beat_if_due(self._clock.now(), dict(self._keeper.detail()))

    def _bid(self, connection: Connection, account: str, consumer: str) -> AccountLease:
        return AccountLease(
            LeaseStore(connection),
            self._clock,
            account=account,
            consumer_id=consumer,
            holder=f"claims-of-{consumer}",
            process=f"run-of-{consumer}",
        )
