"""What every store in memory can do: be down."""

from dataclasses import dataclass

from quantbus_contracts.errors import BusUnavailable

__all__ = ["Reachable"]


@dataclass
class Reachable:
    """Set ``down`` to make every method raise `BusUnavailable`."""

    down: bool = False

    def _check(self) -> None:
        if self.down:
            raise BusUnavailable("the bus is down (fake)")
