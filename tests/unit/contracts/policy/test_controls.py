"""Which control counts, and which names of scopes are refused."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quantbus_contracts.policy import active_controls, strictest_control
from quantbus_contracts.schema import Control, ControlKind

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)
WHO = {"strategy_id": "demo", "pair": "BTC/USDT", "consumer_id": "bot"}


def make_control(**fields: Any) -> Control:
    defaults = {
        "scope": "all",
        "source": "operator",
        "kind": "block",
        "reason": "news",
        "at": NOW - HOUR,
        "by": "me",
    }
    return Control(**{**defaults, **fields})


controls = st.builds(
    make_control,
    scope=st.sampled_from(
        ["all", "strategy:demo", "strategy:other", "pair:BTC/USDT", "pair:ETH/USDT", "consumer:bot"]
    ),
    source=st.sampled_from(["operator", "monitor", "gateway"]),
    kind=st.sampled_from(list(ControlKind)),
    expires_at=st.none() | st.integers(-59, 600).map(lambda minutes: NOW + timedelta(minutes=minutes)),
)


@pytest.mark.parametrize(
    "scope", ["all", "strategy:my-strategy.1", "pair:BTC/USDT", "pair:BTC/USDT:USDT", "consumer:bot_1"]
)
def test_scopes_name_everything_or_one_thing(scope: str) -> None:
    assert make_control(scope=scope).scope == scope


@pytest.mark.parametrize(
    "scope", ["", "ALL", "strategy:", "strategy:a b", "pair:BTCUSDT", "venue:BINANCE", "all:", "consumer:$ne"]
)
def test_other_scopes_are_refused_with_the_forms_that_are_known(scope: str) -> None:
    with pytest.raises(ValidationError, match="'pair:BASE/QUOTE'"):
        make_control(scope=scope)


@pytest.mark.parametrize("reason", ["", "   ", "x" * 501])
def test_a_control_gives_its_reason(reason: str) -> None:
    with pytest.raises(ValidationError):
        make_control(reason=reason)


def test_a_control_cannot_end_before_it_began() -> None:
    with pytest.raises(ValidationError, match="expires_at"):
        make_control(expires_at=NOW - 2 * HOUR)


def test_a_control_counts_until_the_moment_it_expires() -> None:
    control = make_control(expires_at=NOW)
    assert active_controls([control], NOW - timedelta(milliseconds=1)) == [control]
    assert active_controls([control], NOW) == []


def test_scopes_of_others_do_not_count() -> None:
    others = [
        make_control(scope="strategy:other"),
        make_control(scope="pair:ETH/USDT"),
        make_control(scope="consumer:twin"),
    ]
    assert strictest_control(others, NOW, **WHO) is None


def test_of_equally_restrictive_controls_the_longer_lasting_is_told() -> None:
    short, long = make_control(expires_at=NOW + HOUR), make_control(source="monitor")
    assert strictest_control([short, long], NOW, **WHO) == long


@given(st.lists(controls, max_size=8))
def test_the_strictest_is_among_the_active_and_none_of_them_is_stricter(
    given_controls: list[Control],
) -> None:
    active = active_controls(given_controls, NOW, **WHO)
    chosen = strictest_control(reversed(given_controls), NOW, **WHO)
    assert (chosen is None) == (not active)
    assert all(control.is_active(NOW) for control in active)
    if chosen is not None:
        assert chosen.kind.rank == max(control.kind.rank for control in active)
        assert chosen.key == active[0].key or chosen.expires_at == active[0].expires_at


@given(st.lists(controls, max_size=8), controls)
def test_one_more_control_never_makes_it_milder(some: list[Control], more: Control) -> None:
    before, after = strictest_control(some, NOW, **WHO), strictest_control([*some, more], NOW, **WHO)
    assert (after.kind.rank if after else -1) >= (before.kind.rank if before else -1)
