"""Members of a replica set, as the server tells of them."""

from datetime import UTC, datetime, timedelta
from typing import Any

from quantbus_contracts.mongo.bus_health import members_of

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def member(name: str, state: str, behind: float | None = 0.0) -> dict[str, Any]:
    told: dict[str, Any] = {"name": name, "stateStr": state}
    return told if behind is None else told | {"optimeDate": NOON - timedelta(seconds=behind)}


def lags(*members: dict[str, Any]) -> dict[str, tuple[str, float | None]]:
    return {item.name: (item.state, item.lag_seconds) for item in members_of({"members": list(members)})}


def test_members_lag_behind_the_primary_by_what_they_have_written() -> None:
    assert lags(member("b", "SECONDARY", 12.5), member("a", "PRIMARY"), member("c", "SECONDARY", -1)) == {
        "a": ("primary", 0.0),
        "b": ("secondary", 12.5),
        "c": ("secondary", 0.0),
    }


def test_without_a_primary_nobody_can_say_who_lags() -> None:
    assert lags(member("a", "SECONDARY"), member("b", "SECONDARY", 5.0)) == {
        "a": ("secondary", None),
        "b": ("secondary", None),
    }


def test_arbiters_write_nothing_and_the_unreachable_do_not_say() -> None:
    assert lags(
        member("a", "PRIMARY"),
        member("b", "ARBITER", None),
        member("c", "(not reachable/healthy)", 56 * 365 * 86_400),
        member("d", "STARTUP2", 4.0),
    ) == {
        "a": ("primary", 0.0),
        "b": ("arbiter", None),
        "c": ("other", None),
        "d": ("other", None),
    }
