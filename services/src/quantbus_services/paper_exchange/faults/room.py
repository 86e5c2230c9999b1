"""The faults as a room of the exchange: outermost, around all the others."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from starlette.types import ASGIApp

from quantbus_services.paper_exchange.faults.desk import FaultDesk
from quantbus_services.paper_exchange.faults.order_hooks import DeskOrderFaults
from quantbus_services.paper_exchange.faults.wire import FaultLayer
from quantbus_services.paper_exchange.rooms import Handler
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["FaultRoom"]


class FaultRoom:
    """Everything that can go wrong at one exchange."""

    def __init__(self, venue: Venue, lines: Iterable[str] = ()) -> None:
        """Switch on what ``lines`` say, such as ``rate_limited share=0.05``.

        Raises
        ------
        ConfigError
            If a line names no fault, or gives it what it cannot be given.
        """
        self.desk = FaultDesk(venue.clock, venue.add_event)
        self.desk.set_all(lines)
        self._marks = {"X-Quantbus-Data": venue.spot.data}

    @property
    def routes(self) -> Mapping[tuple[str, str], Handler]:
        """Return none: its control routes lie outside of what faults can reach."""
        return MappingProxyType({})

    @property
    def order_faults(self) -> DeskOrderFaults:
        """Return what the accounts ask before they take an order."""
        return DeskOrderFaults(self.desk)

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return the layer around ``app``."""
        return FaultLayer(app, self.desk, self._marks)

    def close(self) -> None:
        """Do nothing: there are no files."""
