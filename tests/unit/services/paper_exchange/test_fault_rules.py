from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.faults.catalogue import CATALOGUE, spec_named
from quantbus_services.paper_exchange.faults.desk import FaultDesk
from quantbus_services.paper_exchange.faults.exchange import Asked, Quiet
from quantbus_services.paper_exchange.faults.rules import Rule, draw
from quantbus_services.paper_exchange.faults.spec import rule_of, values_of
from quantbus_services.paper_exchange.time_line import VenueClock

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
KLINES = Asked("GET", "/api/v3/klines", {"symbol": "BTCUSDT", "interval": "1m"})
TIME = Asked("GET", "/api/v3/time", {})


def desk_at(clock: FrozenClock) -> FaultDesk:
    return FaultDesk(VenueClock(clock))


def met(desk: FaultDesk, asked: Asked = KLINES) -> list[str]:
    return [occasion.rule.name for _, occasion in desk.meets(asked)]


@given(seed=st.integers(0, 2**31), share=st.floats(0, 1), number=st.integers(0, 10_000))
def test_the_same_seed_takes_the_same_requests(seed: int, share: float, number: int) -> None:
    first, second = (Rule("unavailable", seed=seed, share=share) for _ in range(2))

    assert first.takes_request(number) == second.takes_request(number)
    assert 0 <= draw(seed, "unavailable", number) < 1


@pytest.mark.parametrize("share", [0.0, 0.05, 0.5, 1.0])
def test_a_share_of_the_requests_is_taken(share: float) -> None:
    taken = sum(Rule("unavailable", seed=3, share=share).takes_request(number) for number in range(10_000))

    assert taken == pytest.approx(10_000 * share, abs=200)


def test_other_seeds_take_other_requests() -> None:
    taken = {
        tuple(Rule("unavailable", seed=seed, share=0.5).takes_request(number) for number in range(64))
        for seed in range(20)
    }

    assert len(taken) == 20


def test_every_nth_request_is_taken_after_the_first_few_and_so_often() -> None:
    desk = desk_at(FrozenClock(NOON))
    desk.set("unavailable", {"every": 3, "skip": 2, "times": 2})

    assert [bool(met(desk)) for _ in range(12)] == [number in (2, 5) for number in range(12)]


def test_a_fault_is_on_inside_its_window_only() -> None:
    clock = FrozenClock(NOON)
    desk = desk_at(clock)
    desk.set("unavailable", {"from": 10, "until": 20})
    seen = []
    for _ in range(30):
        seen.append(bool(met(desk)))
        clock.advance(timedelta(seconds=1))

    assert seen == [10 <= second < 20 for second in range(30)]


def test_path_and_symbol_choose_the_requests() -> None:
    desk = desk_at(FrozenClock(NOON))
    desk.set("unavailable", {"path": "/api/*/klines", "symbol": "BTC*"})

    assert met(desk) == ["unavailable"]
    assert met(desk, TIME) == []
    assert met(desk, Asked("GET", "/api/v3/klines", {"symbol": "ETHUSDT"})) == []


def test_faults_of_candles_leave_other_requests_alone() -> None:
    desk = desk_at(FrozenClock(NOON))
    desk.set("nan_candle", {"share": 0.1})

    assert (met(desk), met(desk, TIME)) == (["nan_candle"], [])


def test_faults_that_meet_lie_around_each_other_from_the_wire_inwards() -> None:
    desk = desk_at(FrozenClock(NOON))
    for name in ("nan_candle", "cut_json", "slow_answer"):
        desk.set(name, {})

    assert met(desk) == ["slow_answer", "cut_json", "nan_candle"]


def test_setting_a_fault_again_begins_it_anew_and_clearing_ends_it() -> None:
    desk = desk_at(FrozenClock(NOON))
    desk.set("unavailable", {"times": 1})
    assert [len(met(desk)), len(met(desk))] == [1, 0]

    desk.set("unavailable", {"times": 1})
    assert len(met(desk)) == 1
    desk.set("unavailable", {})
    desk.clear("unavailable")
    assert met(desk) == []
    assert not desk.is_busy


@pytest.mark.parametrize(
    ("name", "values", "told"),
    [
        ("nope", {}, "there are slow_answer, no_answer"),
        ("rate_limite", {}, "did you mean rate_limited"),
        ("banned", {"minutes": 3}, "can be given seconds, seed, share"),
        ("banned", {"seconds": 0}, "seconds between 1 and"),
        ("banned", {"seconds": "long"}, "expected a number for seconds, found 'long'"),
        ("banned", {"share": 1.5}, "share between 0 and 1"),
        ("banned", {"every": 0}, "every of at least 1"),
        ("banned", {"from": 20, "until": 10}, "until after from"),
        ("banned", {"from": "nan"}, "finite numbers"),
        ("rename", {"symbol": "BTC/USDT", "to": "XBT/USDT"}, "an exchange whose market list can change"),
    ],
)
def test_what_cannot_be_set_is_refused_with_what_can(name: str, values: dict[str, object], told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        desk_at(FrozenClock(NOON)).set(name, values)


@pytest.mark.parametrize("settings", [["share"], ["=1"], ["share="], ["share=1", "share=2"]])
def test_settings_have_the_form_name_equals_value(settings: list[str]) -> None:
    with pytest.raises(ConfigError, match="expected settings such as"):
        values_of(settings)


def test_lines_switch_faults_on() -> None:
    desk = desk_at(FrozenClock(NOON))
    desk.set_all(["rate_limited share=0.05 retry_after=2", "slow_answer every=7, from=60"])

    assert desk.told()["active"] == {
        "rate_limited": {"share": 0.05, "retry_after": 2.0},
        "slow_answer": {"every": 7, "from": 60.0},
    }


def test_what_a_rule_tells_sets_it_again() -> None:
    rule = Rule("banned", seed=4, share=0.5, times=2, end_seconds=9.0, parameters={"seconds": 30.0})

    assert rule_of(spec_named("banned"), rule.told()) == rule


def test_a_clock_jumps_when_its_time_comes_and_back_when_it_is_over() -> None:
    wall = FrozenClock(NOON)
    clock = VenueClock(wall)
    desk = FaultDesk(clock)
    desk.set("clock_jump", {"seconds": -600, "from": 10, "until": 20})
    off = []
    for _ in range(4):
        desk.settle()
        off.append((clock.now() - wall.now()).total_seconds())
        wall.advance(timedelta(seconds=7))

    assert off == [0, 0, -600, 0]
    assert desk.injected["clock_jump"] == 1


def test_requests_inside_a_ban_are_counted_apart_from_those_on_their_way() -> None:
    clock = FrozenClock(NOON)
    quiet = desk_at(clock).quiet
    began = int(NOON.timestamp() * 1000)
    quiet.begin(Quiet(120, is_ban=True), began)

    refused = [quiet.arrived(began + after) for after in (100, 300, 119_999, 120_000)]

    assert refused == [True, True, True, False]
    assert (quiet.crossing, quiet.inside_ban, quiet.inside_pause) == (1, 2, 0)


def test_requests_before_retry_after_is_over_are_counted_but_not_refused() -> None:
    quiet = desk_at(FrozenClock(NOON)).quiet
    quiet.begin(Quiet(5), 0)

    assert not quiet.arrived(4_000)
    assert not quiet.arrived(5_000)
    assert (quiet.inside_ban, quiet.inside_pause) == (0, 1)


def test_clearing_a_ban_ends_it() -> None:
    desk = desk_at(FrozenClock(NOON))
    desk.set("banned", {})
    desk.quiet.begin(Quiet(120, is_ban=True), desk.now_ms())
    desk.clear()

    assert not desk.quiet.arrived(desk.now_ms() + 1_000)


def test_names_are_unique_and_each_fault_says_what_both_sides_do() -> None:
    assert len({spec.name for spec in CATALOGUE}) == len(CATALOGUE)
    assert all(spec.venue and spec.client and not spec.client.endswith(".") for spec in CATALOGUE)
