"""The one table of collections: where each lives, what is unique in it, who writes it, what it refuses.

``quantbus bus init``, the stores, the roles and the documentation are all made from this table.
"""

from quantbus_contracts.collections._spec import CollectionSpec, Database, Index, Party
from quantbus_contracts.collections.accounts import ACCOUNTS
from quantbus_contracts.collections.blocks import BLOCKS
from quantbus_contracts.collections.gaps import GAPS
from quantbus_contracts.collections.instruments import INSTRUMENTS
from quantbus_contracts.collections.market import MARKET, candle_collection
from quantbus_contracts.collections.observations import OBSERVATIONS
from quantbus_contracts.collections.oversight import OVERSIGHT
from quantbus_contracts.collections.signals import SIGNALS
from quantbus_contracts.collections.trading import TRADING
from quantbus_contracts.collections.turns import TURNS
from quantbus_contracts.collections.versions import VERSIONS

__all__ = ["COLLECTIONS", "CollectionSpec", "Database", "Index", "Party", "candle_collection", "spec_of"]

COLLECTIONS: tuple[CollectionSpec, ...] = (
    *MARKET,
    *BLOCKS,
    *OBSERVATIONS,
    *INSTRUMENTS,
    *GAPS,
    *SIGNALS,
    *TURNS,
    *TRADING,
    *ACCOUNTS,
    *OVERSIGHT,
    *VERSIONS,
)

_BY_NAME = {spec.name: spec for spec in COLLECTIONS}


def spec_of(name: str) -> CollectionSpec:
    """Return the entry of the table for the collection called ``name``."""
    return _BY_NAME[name]
