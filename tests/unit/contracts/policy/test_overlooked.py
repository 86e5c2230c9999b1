"""What became of a signal that nobody decided about while it was the newest of its pair."""

from datetime import timedelta
from typing import Any

import pytest

from quantbus_contracts.policy import Reason, TradingRules, fate_of_overlooked
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import make_signal

RULES = TradingRules()
SIGNAL = make_signal()
CLOSE = SIGNAL.closes_at
MINUTE = timedelta(minutes=1)


def fate(*, available: float = 1.0, now: float = 60.0, away_until: float | None = None, **given: Any) -> Any:
    """Return state and reason of a signal, times in seconds from the close of its bar."""
    asked = {
        "is_followed": True,
        "is_hidden": True,
        **{k: given.pop(k) for k in list(given) if k[:3] == "is_"},
    }
    published = PublishedSignal(
        signal=make_signal(**given),
        version=1,
        available_at=CLOSE + timedelta(seconds=available),
        valid_until=CLOSE + 2 * MINUTE,
        published_by="t",
    )
    looking = None if away_until is None else CLOSE + timedelta(seconds=away_until)
    found = fate_of_overlooked(
        published, CLOSE + timedelta(seconds=now), RULES, looking_since=looking, **asked
    )
    return (found.state.value, found.reason) if found is not None else None


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, ("superseded", Reason.SUPERSEDED)),
        ({"action": "exit_long"}, ("superseded", Reason.SUPERSEDED)),
        ({"available": -30}, ("refused", Reason.FUTURE_STAMPED)),
        ({"away_until": 119}, ("superseded", Reason.SUPERSEDED)),
        ({"away_until": 120, "now": 130}, ("expired_unseen", Reason.EXPIRED)),
        ({"away_until": 120, "now": 130, "action": "exit_long"}, ("superseded", Reason.SUPERSEDED)),
        ({"available": 125, "now": 130}, ("refused", Reason.EXPIRED)),
        ({"is_hidden": False}, None),
        ({"is_hidden": False, "now": 120}, ("refused", Reason.EXPIRED)),
        ({"is_hidden": False, "now": 900, "action": "exit_long"}, None),
        ({"is_followed": False}, ("seen", Reason.OUT_OF_WHITELIST)),
        ({"is_followed": False, "now": 120}, ("refused", Reason.OUT_OF_WHITELIST)),
        ({"is_followed": False, "action": "exit_long"}, ("refused", Reason.NOTHING_TO_EXIT)),
    ],
)
def test_each_comes_to_the_end_that_it_earned(given: dict[str, Any], expected: Any) -> None:
    assert fate(**given) == expected


@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_meaning_that_goes_on_after_a_colon(reason: Reason) -> None:
    assert reason.meaning
    assert reason.meaning[0].islower() or reason.meaning.startswith("Freqtrade")
    assert not reason.meaning.endswith(".")
    assert reason.remedy == "" or reason.remedy.endswith(".")
