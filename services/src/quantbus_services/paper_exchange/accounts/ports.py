"""What the accounts need from elsewhere, and where faults may be put between a client and its orders."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from quantbus_services.paper_exchange.accounts.records import Board, Fill, Side
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.generator.funding import Funding
from quantbus_services.paper_exchange.listings.brackets import Bracket

__all__ = ["NoFaults", "OrderFaults", "OrderTicket", "Perpetuals"]


@dataclass(frozen=True, slots=True)
class OrderTicket:
    """What a client asked for: enough for a fault to decide whether it means this order."""

    account: str
    board: Board
    symbol: str
    side: Side
    client_id: str


class OrderFaults(Protocol):
    """Lets an order go wrong the way it does at a real venue.

    Every method is asked once per request and may keep count; `NoFaults` never interferes.
    """

    def refuses(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        """Return what the client is told instead of placing the order: nothing happens to the account.

        A reject, or a balance said to be insufficient.
        """
        ...

    def loses_answer(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        """Return what the client is told although the order was accepted and may have been filled."""
        ...

    def reports(self, fills: Sequence[Fill], now_ms: int) -> Sequence[Fill]:
        """Return the fills that the venue tells of now: some twice, some not yet."""
        ...


class NoFaults:
    """An exchange on a good day."""

    def refuses(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        """Let every order through."""
        return None

    def loses_answer(self, ticket: OrderTicket, now_ms: int) -> Refusal | None:
        """Let every answer through."""
        return None

    def reports(self, fills: Sequence[Fill], now_ms: int) -> Sequence[Fill]:
        """Tell of every fill once, at once."""
        return fills


class Perpetuals(Protocol):
    """What is true of a perpetual beyond its prices."""

    def mark_price(self, name: str, now_ms: int) -> float | None:
        """Return the price that margins are judged by; None if the perpetual is not listed."""
        ...

    def fundings(self, name: str, after_ms: int, until_ms: int) -> Sequence[Funding]:
        """Return the exchanges of funding in ``(after_ms, until_ms]``, oldest first."""
        ...

    def brackets(self, name: str, now_ms: int) -> Sequence[Bracket]:
        """Return the leverage brackets, smallest notional first; none if the perpetual is not listed."""
        ...
