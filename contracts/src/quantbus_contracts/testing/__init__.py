"""For tests only: a clock that stands still, builders of valid models, in-memory stores.

The stores are held to the truth: they pass the same conformance suite as the real ones.
"""

from quantbus_contracts.testing.account_books import FakeAccountBooks
from quantbus_contracts.testing.builders import make_candle, make_candles, make_execution, make_signal
from quantbus_contracts.testing.clock import FrozenClock
from quantbus_contracts.testing.control_store import FakeControlStore
from quantbus_contracts.testing.lease_store import FakeLeaseStore
from quantbus_contracts.testing.restraint_stores import FakeRestraintReader, FakeRiskStateStore
from quantbus_contracts.testing.signal_stores import FakeSignalStore, FakeStrategyStore
from quantbus_contracts.testing.stores import (
    FakeCandleStore,
    FakeExecutionStore,
    FakeHeartbeatStore,
    FakeInstrumentStore,
)

__all__ = [
    "FakeAccountBooks",
    "FakeCandleStore",
    "FakeControlStore",
    "FakeExecutionStore",
    "FakeHeartbeatStore",
    "FakeInstrumentStore",
    "FakeLeaseStore",
    "FakeRestraintReader",
    "FakeRiskStateStore",
    "FakeSignalStore",
    "FakeStrategyStore",
    "FrozenClock",
    "make_candle",
    "make_candles",
    "make_execution",
    "make_signal",
]
