"""Ten times what is allowed: who keeps to the rate is served, the rest is told when to come back."""

from pathlib import Path

import pytest

from quantbus_contracts.runtime.settings import MongoSettings
from tests.integration.gateway.overload import overload
from tests.integration.gateway.running import running_gateway

pytestmark = [pytest.mark.proof, pytest.mark.integration]


async def test_ten_times_the_rate_leaves_the_allowed_calls_served(
    mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    with running_gateway(mongo_settings, tmp_path, rate_per_second=5, rate_burst=5) as gateway:
        greedy, modest = await overload(gateway, per_second=5, times=10, seconds=4)
    greedy.assert_sound()
    modest.assert_sound()
    allowed = 5 + 5 * greedy.seconds
    assert 0.7 * allowed <= greedy.served <= allowed + 1, greedy
    assert greedy.limited >= 3 * greedy.served, greedy
    assert modest.limited == 0, modest
    assert modest.served == modest.sent
