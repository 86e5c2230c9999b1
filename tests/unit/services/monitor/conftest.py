import pytest

from quantbus_contracts.testing import FrozenClock
from tests.unit.services.monitor.fake_bus import FakeBot, FakeBus


@pytest.fixture
def bus(frozen_clock: FrozenClock) -> FakeBus:
    return FakeBus(frozen_clock)


@pytest.fixture
def bot() -> FakeBot:
    return FakeBot()
