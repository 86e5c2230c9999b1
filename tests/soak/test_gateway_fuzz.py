"""The gateway, longer: thousands of made-up requests, and a minute of ten times too many."""

from pathlib import Path

import pytest

from quantbus_contracts.runtime.settings import MongoSettings
from tests.integration.gateway.fuzzing import fuzz
from tests.integration.gateway.overload import overload
from tests.integration.gateway.running import running_gateway

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3_600)]


def test_ten_thousand_made_up_requests_are_answered_as_the_openapi_says(
    mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    with running_gateway(
        mongo_settings, tmp_path, rate_per_second=5_000, rate_burst=10_000, failures_per_minute=10_000
    ) as gateway:
        tally = fuzz(gateway, cases=10_200)
        print(f"answers by status: {dict(tally)}")  # noqa: T201  # the soak run's figures
        assert tally.total() >= 10_000, tally
        assert not [status for status in tally if status >= "500"]
        assert gateway.process.poll() is None
        assert "Traceback" not in gateway.log.read_text()


async def test_a_minute_of_ten_times_the_rate_leaves_the_allowed_calls_served(
    mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    with running_gateway(mongo_settings, tmp_path, rate_per_second=5, rate_burst=5) as gateway:
        greedy, modest = await overload(gateway, per_second=5, times=10, seconds=60)
    print(f"greedy {dict(greedy.statuses)}, modest {dict(modest.statuses)}")  # noqa: T201  # the soak run's figures
    greedy.assert_sound()
    modest.assert_sound()
    allowed = 5 + 5 * greedy.seconds
    assert 0.8 * allowed <= greedy.served <= allowed + 1, greedy.statuses
    assert greedy.limited >= 3 * greedy.served
    assert (modest.limited, modest.served) == (0, modest.sent)
