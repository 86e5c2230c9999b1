"""quantbus_executor: what a Freqtrade strategy delegates to in order to follow signals from the bus.

Nothing in this package imports Freqtrade; ``user_data/strategies/ExternalSignalStrategy.py`` does, and alone.
The names below are loaded on first use, so that the command line does not wait for pandas and the driver.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantbus_executor.acting.columns import mark_no_exits
    from quantbus_executor.claims.claim import Claim
    from quantbus_executor.guard import fails_to
    from quantbus_executor.session import FOLLOWING
    from quantbus_executor.settings import Abilities

__all__ = ["FOLLOWING", "Abilities", "Claim", "fails_to", "mark_no_exits"]

_HOMES = {
    "FOLLOWING": "quantbus_executor.session",
    "Abilities": "quantbus_executor.settings",
    "Claim": "quantbus_executor.claims.claim",
    "fails_to": "quantbus_executor.guard",
    "mark_no_exits": "quantbus_executor.acting.columns",
}


def __getattr__(name: str) -> object:
    if name in _HOMES:
        return getattr(import_module(_HOMES[name]), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
