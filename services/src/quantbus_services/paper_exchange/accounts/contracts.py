"""What the futures side of the venue says of its perpetuals."""

from collections.abc import Sequence

from quantbus_services.paper_exchange.generator.funding import Funding, funding_between
from quantbus_services.paper_exchange.generator.perpetual import PerpetualMarket
from quantbus_services.paper_exchange.listings.brackets import Bracket, brackets_of

__all__ = ["VenueContracts"]


class VenueContracts:
    """Marks, fundings and brackets as the public routes tell them."""

    def __init__(self, market: PerpetualMarket) -> None:
        """Ask ``market``."""
        self._market = market

    def mark_price(self, name: str, now_ms: int) -> float | None:
        """Return the mark price; None if the perpetual is not listed."""
        return self._market.mark_price(name, now_ms) if name in self._market.listed(now_ms) else None

    def fundings(self, name: str, after_ms: int, until_ms: int) -> Sequence[Funding]:
        """Return the exchanges of funding in ``(after_ms, until_ms]``, oldest first."""
        return funding_between(self._market, name, after_ms + 1, until_ms, until_ms)

    def brackets(self, name: str, now_ms: int) -> Sequence[Bracket]:
        """Return the leverage brackets, smallest notional first; none if the perpetual is not listed."""
        listing = self._market.listed(now_ms).get(name)
        return () if listing is None else brackets_of(listing)
