"""Bounded tries, bounded queues, and lanes that do not hold each other up."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts.errors import ConfigError
from quantbus_services.monitor.alerts.lanes import Lanes
from quantbus_services.monitor.alerts.messages import Message
from quantbus_services.monitor.alerts.messengers import messengers_of
from quantbus_services.monitor.alerts.metrics import AlertMetrics
from tests.unit.services.monitor.alerts.posts import Scripted

# A plug-in of apprise that is not ours imports it.
pytestmark = pytest.mark.filterwarnings("ignore:.imghdr. is deprecated:DeprecationWarning")

HELLO = Message("[WARNING] Hello", "Hello.", "warning")


class Delivery:
    """Lanes to some messengers, and what they counted."""

    def __init__(self, *messengers: Scripted) -> None:
        self.registry = CollectorRegistry()
        self.lanes = Lanes(messengers, AlertMetrics(self.registry), first_pause_seconds=0.0)

    def counted(self, outcome: str) -> float | None:
        return self.registry.get_sample_value("quantbus_alert_messages_total", {"outcome": outcome})

    @property
    def ended(self) -> float:
        return sum(self.counted(outcome) or 0 for outcome in ("delivered", "failed", "dropped"))

    async def deliver(self, messages: Sequence[Message], *, ended: int) -> None:
        """Put the messages and wait until so many have an end, good or bad."""
        running = asyncio.create_task(self.lanes.run())
        for message in messages:
            self.lanes.put(message)
        async with asyncio.timeout(10):
            while self.ended < ended:  # noqa: ASYNC110  # counters have no event
                await asyncio.sleep(0.001)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_messenger_that_fails_is_tried_again() -> None:
    messenger = Scripted(failures=2)
    delivery = Delivery(messenger)
    await delivery.deliver([HELLO], ended=1)
    assert messenger.sent == [HELLO]
    assert (delivery.counted("retried"), delivery.counted("delivered")) == (2, 1)


@pytest.mark.parametrize("error", [None, ConnectionError("secret-token"), RuntimeError("broken plug-in")])
async def test_after_five_tries_it_is_given_up_and_the_next_message_goes_on(error: Exception | None) -> None:
    messenger = Scripted(failures=5, error=error)
    delivery = Delivery(messenger)
    later = Message("[WARNING] Later", "Later.", "warning")
    await delivery.deliver([HELLO, later], ended=2)
    assert messenger.sent == [later]
    assert (delivery.counted("failed"), delivery.counted("delivered")) == (1, 1)


async def test_a_dead_messenger_does_not_hold_up_the_others() -> None:
    dead, alive = Scripted("dead", failures=10**6), Scripted("alive")
    delivery = Delivery(dead, alive)
    await delivery.deliver([HELLO] * 3, ended=6)
    assert alive.sent == [HELLO] * 3
    assert delivery.counted("failed") == 3


async def test_a_full_lane_loses_its_oldest_messages_and_counts_them() -> None:
    messenger = Scripted()
    delivery = Delivery(messenger)
    storm = [Message(f"[WARNING] {number}", "", "warning") for number in range(130)]
    await delivery.deliver(storm, ended=130)
    assert messenger.sent == storm[30:]
    assert delivery.counted("dropped") == 30


def test_addresses_of_messengers_are_read_and_never_shown(tmp_path: Path) -> None:
    file = tmp_path / "messengers"
    file.write_text("# ours\ndingtalk://abcdef0123456789/\n\nfeishu://secrettoken/\nwecombot://secretkey\n")
    names = [messenger.name for messenger in messengers_of(file)]
    assert names == ["DingTalk (line 2)", "Feishu (line 4)", "WeCom Bot (line 5)"]
    assert messengers_of(None) == ()


@pytest.mark.parametrize("text", ["", "# nothing\n", "nonsense-secret-token\n", "json://127.0.0.1\n" * 21])
def test_a_file_of_messengers_that_cannot_be_meant_is_refused_without_showing_it(
    tmp_path: Path, text: str
) -> None:
    file = tmp_path / "messengers"
    file.write_text(text)
    with pytest.raises(ConfigError) as refused:
        messengers_of(file)
    assert "secret" not in str(refused.value)
    assert str(file) in str(refused.value)


def test_a_file_of_messengers_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"docs/alerting\.md"):
        messengers_of(tmp_path / "absent")
