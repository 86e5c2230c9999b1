"""One question to the venue, asked beside the bot's loop: a venue that is slow to answer delays nothing."""

import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from quantbus_contracts.errors import VenueError
from quantbus_executor.claims.claim import Claim
from quantbus_executor.claims.venue import Venue, VenueOrder
from quantbus_executor.guard import fails_to

__all__ = ["Inquiry"]


class Inquiry:
    """A question about one claim, on its way since this was made."""

    def __init__(self, venue: Venue, claim: Claim, since: datetime) -> None:
        """Ask for the orders of the claim's pair ``since`` a time."""
        self.claim = claim
        self._venue = venue
        self._since = since
        self._orders: list[VenueOrder] | None = None
        self._thread = threading.Thread(target=self._ask, name="quantbus-inquiry", daemon=True)
        self._thread.start()

    @property
    def is_over(self) -> bool:
        """Whether there is an answer, or will be none."""
        return not self._thread.is_alive()

    def wait(self, seconds: float) -> bool:
        """Wait for the answer; tell whether it is there."""
        self._thread.join(seconds)
        return self.is_over

    def orders(self) -> Sequence[VenueOrder]:
        """Return the venue's orders.

        Raises
        ------
        VenueError
            If the venue could not say.
        """
        if self._orders is None:
            raise VenueError(f"expected the orders of {self.claim.wish.pair}, found an error, logged above")
        return self._orders

    @fails_to(None)  # whatever it was, the venue did not say
    def _ask(self) -> None:
        raw: Sequence[Mapping[str, Any]] = self._venue.orders_since(self.claim.wish.pair, self._since)
        self._orders = [VenueOrder.of(order) for order in raw]
