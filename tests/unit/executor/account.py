"""A bot that trades an account, without Freqtrade: a venue that keeps orders, and instants at which the bot can die."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from quantbus_contracts.errors import VenueError
from quantbus_contracts.testing import FakeLeaseStore
from quantbus_executor.claims.claim import Claim
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.claims.lease import AccountLease
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.claims.resolution import Patience, Resolver
from tests.unit.executor.rig import FakeBook, FakeOrder, FakeTrade, Rig

SETTLE = timedelta(seconds=20)
GIVE_UP = timedelta(seconds=900)


class Died(BaseException):
    """The process was killed: no handler of an error sees this."""


class FakeVenue:
    """Orders of one account. ``dies_at`` kills the bot at one of its instants, once."""

    def __init__(self, now: Callable[[], datetime], book: FakeBook) -> None:
        self._now = now
        self._book = book
        self._numbers = count(1)
        self.orders: list[dict[str, Any]] = []
        self.down = self.mute = False
        self.asked = 0
        self.dies_at: str | None = None

    @property
    def has_killed(self) -> bool:
        """Whether the bot died where it was to die."""
        return self.dies_at is None

    def may_die(self, instant: str) -> None:
        """End the process if it is to die at this instant."""
        if self.dies_at == instant:
            self.dies_at = None
            raise Died(instant)

    def place(self, pair: str, side: str, amount: float, status: str = "closed") -> str:
        """Take an order, as the venue does; filled at once unless ``status`` says otherwise."""
        number = f"venue-{next(self._numbers)}"
        filled = amount if status == "closed" else 0.0
        self.orders.append(
            {
                **{"id": number, "pair": pair, "side": side, "amount": amount, "filled": filled},
                **{"status": status, "timestamp": self._now().timestamp() * 1_000, "reduceOnly": False},
            }
        )
        return number

    def key(self) -> tuple[str, str | None]:
        return "fake", "the-key"

    def lists_orders(self) -> bool:
        return not self.mute

    def orders_since(self, pair: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        self.asked += 1
        if self.down:
            raise VenueError("the venue is away")
        return [
            order
            for order in self.orders
            if order["pair"] == pair and order["timestamp"] >= since.timestamp() * 1_000
        ]

    def knows(self, order_id: str, pair: str) -> bool:
        return any(order.order_id == order_id for trade in self._book.trades for order in trade.orders)

    def as_ordered(self, pair: str, amount: float) -> float:
        return round(amount, 6)

    def adopt(self, claim: Claim, order: Mapping[str, Any]) -> int | None:
        wish = claim.wish
        held = next((trade for trade in self._book.open_trades() if trade.pair == wish.pair), None)
        if (held.id if held else None) != wish.trade_id:
            return None
        self.may_die("before an adopted trade is noted")
        trade = held or FakeTrade(
            len(self._book.trades) + 1, wish.pair, wish.tag, self._now(), is_short=wish.side == "short"
        )
        taken = FakeOrder(str(order["id"]), str(order["side"]), wish.tag, self._now(), True, safe_filled=0.0)
        trade.orders.append(taken)
        if held is None:
            trade.amount = 0.0
            self._book.trades.append(trade)
        self.may_die("after an adopted trade is noted")
        return trade.id


class AccountRig(Rig):
    """A rig whose orders go to a venue, one bot per account; it is killed by `Died` and started by `start`."""

    def __init__(self, folder: Path, *, name: str = "bot", live: bool = True, **given: Any) -> None:
        self.folder = folder
        self.name = name
        self.live = live
        self.leases = FakeLeaseStore()
        self.register: ClaimRegister | None = None
        self.claims: ClaimKeeper | None = None
        self.venue: FakeVenue | None = None
        self.status = "closed"
        super().__init__(**given)

    def open_claims(self) -> ClaimKeeper:
        """Open the claims of a new process; the kernel has closed those of the one that died."""
        if self.register is not None:
            self.register.close()
        if self.venue is None:
            self.venue = FakeVenue(self.clock.now, self.book)
            self.leases.clock = self.clock
        self.register = ClaimRegister(self.folder / f"{self.name}.sqlite")
        venue = self.venue if self.live else None
        lease = None
        if self.live:
            lease = AccountLease(
                self.leases,
                self.clock,
                account="main",
                consumer_id=self.name,
                holder=self.register.identity,
                process=self.register.process,
            )
            lease.begin()
        resolver = Resolver(self.register, self.book, self.clock, venue, Patience(SETTLE, GIVE_UP))
        self.claims = ClaimKeeper(self.register, resolver, self.clock, venue=venue, lease=lease)
        return self.claims

    def send_entry(self, pair: str, tag: str, side: str, stake: float, leverage: float) -> None:
        """Send an order as Freqtrade does: to the venue, then the trade into its database, then what follows."""
        assert self.venue is not None
        self.venue.may_die("after the claim, before the order")
        if self.live:
            amount = self.venue.as_ordered(pair, stake * leverage / self.rate)
            self.venue.place(pair, "buy" if side == "long" else "sell", amount, self.status)
        self.venue.may_die("after the venue has the order, before the trade is noted")
        fills, self.fills_orders = self.fills_orders, False
        trade = self.open_trade(pair, tag, side, stake=stake, leverage=leverage)
        if self.live:
            trade.orders[0].order_id = self.venue.orders[-1]["id"]
        self.fills_orders = fills
        self.venue.may_die("after the trade is noted")
        if self.fills_orders and self.status == "closed":
            self.fill(trade, trade.orders[0])

    def loop(self, **given: Any) -> None:
        """Run one loop; Freqtrade looks first what became of orders that it holds for open."""
        assert self.venue is not None
        self.venue.may_die("before the claim")
        super().loop(**given)
        known = {order["id"]: order for order in self.venue.orders}
        for trade in self.book.open_trades():
            for order in trade.orders:
                told = known.get(order.order_id)
                filled = told["filled"] if told is not None else 0.0 if self.live else trade.amount
                if order.ft_is_open and filled:
                    trade.amount = trade.amount or filled
                    self.fill(trade, order)

    def run(self, seconds: int) -> None:
        """Run loops of one second each; the bot is started again whenever it dies."""
        for _ in range(seconds):
            try:
                self.loop()
            except Died:
                self.start()
