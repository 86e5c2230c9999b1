"""Every fault there is, from the wire inwards."""

from difflib import get_close_matches
from types import MappingProxyType

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.faults.answers import ANSWERS
from quantbus_services.paper_exchange.faults.candles import CANDLES
from quantbus_services.paper_exchange.faults.clock import CLOCK
from quantbus_services.paper_exchange.faults.market_list import MARKET_LIST
from quantbus_services.paper_exchange.faults.orders import ORDERS
from quantbus_services.paper_exchange.faults.spec import FaultSpec
from quantbus_services.paper_exchange.faults.transport import TRANSPORT

__all__ = ["CATALOGUE", "spec_named"]

CATALOGUE: tuple[FaultSpec, ...] = (
    *TRANSPORT, *ANSWERS, *ORDERS, *MARKET_LIST, *CANDLES, *CLOCK,
)  # fmt: skip
_BY_NAME = MappingProxyType({spec.name: spec for spec in CATALOGUE})


def spec_named(name: str) -> FaultSpec:
    """Return the fault of that name.

    Raises
    ------
    ConfigError
        If there is none; with those there are.
    """
    if name not in _BY_NAME:
        near = get_close_matches(name, _BY_NAME, n=3)
        told = f"did you mean {', '.join(near)}?" if near else f"there are {', '.join(_BY_NAME)}"
        raise ConfigError(
            f"expected a fault of the catalogue (`quantbus paper-exchange faults list`), found {name!r}; {told}"
        )
    return _BY_NAME[name]
