"""What controls, risk rows, a downtime and confidence do to decisions, and what they never do."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quantbus_contracts.policy import (
    NO_RISK,
    RESTRAINTS,
    UNRESTRAINED,
    CatchUp,
    Circumstances,
    Confidence,
    Debounce,
    Decision,
    DecisionKind,
    PastTrade,
    Position,
    Reason,
    RiskView,
    SoftScale,
    StandingExit,
    TradingRules,
    decide,
    final_reason,
    risk_view,
)
from quantbus_contracts.schema import ControlKind, PublishedSignal, RiskLevel, RiskState
from tests.unit.contracts.policy.rows import CLOSE, MINUTE, TS, published

RULES = TradingRules(can_short=True)
SECOND = timedelta(seconds=1)
NOW = CLOSE + 5 * SECOND
LONG = Position("long", TS - MINUTE, "before", TS - 2 * MINUTE)
STANDING = Position("long", TS, "before", TS, StandingExit("earlier", 1, Reason.EXIT_SIGNAL))


def make_state(**fields: Any) -> RiskState:
    defaults = {"strategy_id": "demo", "level": "warn", "reason": "drift", "at": NOW - MINUTE, "by": "me"}
    return RiskState(**{**defaults, **fields})


def view(*states: RiskState, pair: str = "BTC/USDT") -> RiskView:
    return risk_view(states, NOW, strategy_id="demo", pair=pair)


class TestControls:
    @pytest.mark.parametrize("kind", list(ControlKind))
    def test_every_control_keeps_a_flat_pair_flat_and_says_so(self, kind: ControlKind) -> None:
        held = decide(published(), None, NOW, RULES, Circumstances(control=kind))
        assert (held.kind, held.final) == (DecisionKind.HOLD, False)
        assert held.reason is not None
        assert held.reason.value == {"block": "blocked", "halt": "halted", "flatten": "flatten"}[kind.value]

    def test_a_block_lets_exits_go_on(self) -> None:
        around = Circumstances(control=ControlKind.BLOCK)
        assert decide(published("exit_long"), LONG, NOW, RULES, around).kind is DecisionKind.EXIT

    @pytest.mark.parametrize("position", [LONG, STANDING])
    def test_a_halt_acts_on_no_signal_and_on_no_exit_that_stood_before(self, position: Position) -> None:
        around = Circumstances(control=ControlKind.HALT)
        held = decide(published("exit_long"), position, NOW, RULES, around)
        assert (held.kind, held.reason, held.final) == (DecisionKind.HOLD, Reason.HALTED, False)
        assert decide(published("exit_long"), position, NOW, RULES).kind is DecisionKind.EXIT

    @pytest.mark.parametrize("position", [LONG, STANDING, Position("short", NOW)])
    def test_a_flatten_leaves_every_position_without_any_signal(self, position: Position) -> None:
        around = Circumstances(control=ControlKind.FLATTEN)
        for newest in (None, published(), published("exit_long", origin="backfill")):
            decision = decide(newest, position, NOW, RULES, around)
            expected = Decision(DecisionKind.EXIT, position.side, Reason.FLATTEN)
            assert decision == expected

    def test_what_is_wrong_for_good_is_told_rather_than_the_control(self) -> None:
        around = Circumstances(control=ControlKind.HALT)
        late = decide(published(), None, NOW + timedelta(days=1), RULES, around)
        assert (late.reason, late.final) == (Reason.STALE, True)


class TestRisk:
    def test_without_a_row_there_is_no_risk(self) -> None:
        others = [make_state(strategy_id="other"), make_state(pair="ETH/USDT"), make_state(expires_at=NOW)]
        assert view(*others) == NO_RISK

    def test_of_the_pairs_row_and_the_strategys_the_stricter_counts_in_each_respect(self) -> None:
        found = view(
            make_state(pair="*", stake_scale=0.4), make_state(pair="BTC/USDT", level="ok", block_entries=True)
        )
        assert found == RiskView(RiskLevel.WARN, blocks_entries=True, stake_scale=0.4)

    @pytest.mark.parametrize("fields", [{"level": "crit"}, {"block_entries": True}, {"stake_scale": 0.0}])
    def test_a_row_denies_entries_and_never_an_exit(self, fields: dict[str, Any]) -> None:
        around = Circumstances(risk=view(make_state(**fields)))
        held = decide(published(), None, NOW, RULES, around)
        assert (held.reason, held.final) == (Reason.DENIED_BY_RISK, False)
        assert decide(published("exit_long"), LONG, NOW, RULES, around).kind is DecisionKind.EXIT

    def test_a_warning_alone_denies_nothing(self) -> None:
        assert (
            decide(published(), None, NOW, RULES, Circumstances(risk=view(make_state()))).kind
            is DecisionKind.ENTER
        )

    def test_entries_wait_while_restraints_are_not_known(self) -> None:
        around = Circumstances(restraints_known=False)
        assert decide(published(), None, NOW, RULES, around).reason is Reason.RISK_UNKNOWN
        assert decide(published("exit_long"), LONG, NOW, RULES, around).kind is DecisionKind.EXIT

    @pytest.mark.parametrize(
        "wrong",
        [
            {"pair": "BTCUSDT"},
            {"level": "doom"},
            {"stake_scale": 1.1},
            {"stake_scale": float("nan")},
            {"reason": " "},
            {"expires_at": NOW - timedelta(days=1)},
            {"strategy_id": "a b"},
        ],
    )
    def test_rows_that_make_no_sense_are_refused(self, wrong: dict[str, Any]) -> None:
        with pytest.raises(ValidationError):
            make_state(**wrong)


class TestCatchUp:
    @pytest.mark.parametrize(
        ("policy", "enters", "leaves"),
        [(CatchUp.IF_VALID, True, True), (CatchUp.EXITS_ONLY, False, True), (CatchUp.SKIP, False, False)],
    )
    def test_what_came_during_a_downtime_counts_as_was_chosen(
        self, policy: CatchUp, enters: bool, leaves: bool
    ) -> None:
        rules = TradingRules(catch_up=policy)
        back = Circumstances(looking_since=NOW - SECOND)
        entry = decide(published(), None, NOW, rules, back)
        assert (entry.kind is DecisionKind.ENTER) == enters
        assert enters or (entry.reason, entry.final) == (Reason.MISSED, True)
        leave = decide(published("exit_long"), LONG, NOW, rules, back)
        assert (leave.kind is DecisionKind.EXIT) == leaves
        assert leaves or (leave.reason, leave.final) == (Reason.MISSED, True)

    @pytest.mark.parametrize("policy", list(CatchUp))
    def test_what_came_since_counts_under_every_policy(self, policy: CatchUp) -> None:
        rules = TradingRules(catch_up=policy)
        for since in (None, published().available_at):
            around = Circumstances(looking_since=since)
            assert decide(published(), None, NOW, rules, around).kind is DecisionKind.ENTER
            assert decide(published("exit_long"), LONG, NOW, rules, around).kind is DecisionKind.EXIT

    def test_an_exit_that_was_read_before_the_downtime_stands_under_every_policy(self) -> None:
        around = Circumstances(looking_since=NOW)
        assert (
            decide(None, STANDING, NOW, TradingRules(catch_up=CatchUp.SKIP), around).kind is DecisionKind.EXIT
        )


class TestConfidence:
    @pytest.mark.parametrize(
        ("fields", "kind"),
        [
            ({"score": 0.44}, DecisionKind.HOLD),
            ({"score": 0.45}, DecisionKind.ENTER),
            ({"score": -0.9}, DecisionKind.HOLD),
            ({}, DecisionKind.ENTER),
            ({"action": "enter_short", "score": 0.9}, DecisionKind.ENTER),
            ({"action": None, "weight": -0.5, "score": -0.9}, DecisionKind.ENTER),
            ({"action": None, "weight": -0.5, "score": 0.9}, DecisionKind.HOLD),
            ({"action": None, "score": -0.9}, DecisionKind.ENTER),
        ],
    )
    def test_the_fuse_refuses_what_is_too_unsure(self, fields: dict[str, Any], kind: DecisionKind) -> None:
        rules = TradingRules(can_short=True, confidence=Confidence(fuse_below=0.45))
        row = published(**{"action": "enter_long", **fields})
        decision = decide(row, None, NOW, rules)
        assert decision.kind is kind
        assert kind is DecisionKind.ENTER or (decision.reason, decision.final) == (Reason.BELOW_FUSE, True)

    def test_an_entry_without_a_score_is_refused_only_where_that_was_chosen(self) -> None:
        closed = Confidence(scale=SoftScale(), fail_open=False)
        refused = decide(published(), None, NOW, TradingRules(confidence=closed))
        assert (refused.reason, refused.final) == (Reason.NO_CONFIDENCE, True)
        off = Confidence(fail_open=False)
        assert decide(published(), None, NOW, TradingRules(confidence=off)).kind is DecisionKind.ENTER

    @pytest.mark.parametrize(
        ("confidence", "factor"),
        [
            (-1.0, 0.3),
            (0.0, 0.3),
            (0.165, 0.3),
            (0.275, 0.5),
            (0.44, 0.8),
            (0.55, 1.0),
            (1.0, 1.0),
            (None, 1.0),
        ],
    )
    def test_the_stake_follows_confidence_between_the_floor_and_the_whole(
        self, confidence: float | None, factor: float
    ) -> None:
        assert Confidence(scale=SoftScale()).factor(confidence) == pytest.approx(factor)
        assert Confidence().factor(confidence) == 1.0

    @given(
        floor=st.floats(0.01, 1),
        full_at=st.floats(0.01, 1),
        one=st.floats(-1, 1),
        other=st.floats(-1, 1),
    )
    def test_more_confidence_never_stakes_less_and_the_share_is_bounded(
        self, floor: float, full_at: float, one: float, other: float
    ) -> None:
        scale = SoftScale(floor=floor, full_at=full_at)
        low, high = sorted((one, other))
        assert floor <= scale.factor(low) <= scale.factor(high) <= 1.0
        assert scale.factor(full_at) == 1.0


def test_a_signal_that_waited_for_something_until_its_time_was_over_ends_by_that() -> None:
    assert final_reason("cool_down", Reason.STALE) is Reason.COOL_DOWN
    assert final_reason("stake_below_minimum", Reason.EXPIRED) is Reason.STAKE_BELOW_MINIMUM
    assert final_reason("bus_down", Reason.STALE) is Reason.BUS_DOWN
    assert final_reason("not_closed", Reason.STALE) is Reason.STALE
    assert final_reason(None, Reason.MAX_AGE) is Reason.MAX_AGE
    assert final_reason("cool_down", Reason.BELOW_FUSE) is Reason.BELOW_FUSE
    assert final_reason("a_word_of_another_version", Reason.STALE) is Reason.STALE


moments = st.timedeltas(timedelta(hours=-2), timedelta(hours=2)).map(lambda offset: NOW + offset)
circumstances = st.builds(
    Circumstances,
    control=st.none() | st.sampled_from(list(ControlKind)),
    risk=st.builds(
        RiskView, st.sampled_from(list(RiskLevel)), blocks_entries=st.booleans(), stake_scale=st.floats(0, 1)
    ),
    restraints_known=st.booleans(),
    past=st.lists(
        st.tuples(moments, moments).map(lambda pair: PastTrade(min(pair), max(pair))), max_size=4
    ).map(tuple),
    looking_since=st.none() | moments,
)
rules_of_any_kind = st.builds(
    TradingRules,
    can_short=st.booleans(),
    catch_up=st.sampled_from(list(CatchUp)),
    act_on_old_exits=st.booleans(),
    debounce=st.builds(
        Debounce,
        minimum_hold=st.none() | st.timedeltas(SECOND, timedelta(hours=2)),
        cool_down=st.none() | st.timedeltas(SECOND, timedelta(hours=2)),
        flips_per_day=st.none() | st.integers(0, 3),
    ),
    confidence=st.builds(
        Confidence,
        scale=st.none() | st.just(SoftScale()),
        fuse_below=st.none() | st.floats(0, 1),
        fail_open=st.booleans(),
    ),
)
signals = st.builds(
    lambda action, weight, score, offset: published(
        action, weight=weight, score=score, available_at=CLOSE + offset
    ),
    action=st.sampled_from(["enter_long", "exit_long", "enter_short", "exit_short", None]),
    weight=st.none() | st.floats(-1, 1),
    score=st.floats(-1, 1),
    offset=st.timedeltas(timedelta(0), timedelta(minutes=5)),
)
positions = st.builds(
    lambda side, opened_at, standing: Position(side, opened_at, "before", TS - MINUTE, standing),
    side=st.sampled_from(["long", "short"]),
    opened_at=moments,
    standing=st.none() | st.just(StandingExit("earlier", 1, Reason.EXIT_SIGNAL)),
)


@given(row=signals, now=moments, rules=rules_of_any_kind, around=circumstances)
def test_restraints_only_ever_take_entries_away(
    row: PublishedSignal, now: datetime, rules: TradingRules, around: Circumstances
) -> None:
    plain = TradingRules(can_short=rules.can_short)
    free, bound = decide(row, None, now, plain), decide(row, None, now, rules, around)
    if bound.kind is DecisionKind.ENTER:
        assert bound == free
    if free.is_refusal:
        assert bound == free, "what is wrong for good stays what is told"


@given(
    row=st.none() | signals, position=positions, now=moments, rules=rules_of_any_kind, around=circumstances
)
def test_an_exit_is_delayed_by_a_halt_or_the_minimum_hold_and_dropped_by_what_was_chosen_only(
    row: PublishedSignal | None,
    position: Position,
    now: datetime,
    rules: TradingRules,
    around: Circumstances,
) -> None:
    free = decide(row, position, now, TradingRules(can_short=rules.can_short))
    bound = decide(row, position, now, rules, around)
    if around.control is ControlKind.FLATTEN:
        assert (bound.kind, bound.reason) == (DecisionKind.EXIT, Reason.FLATTEN)
    elif free.kind is DecisionKind.EXIT and bound.kind is not DecisionKind.EXIT:
        waits = {Reason.HALTED: around.control is ControlKind.HALT}
        waits[Reason.MINIMUM_HOLD] = rules.debounce.holds(position.opened_at, now)
        dropped = {Reason.OLD_EXIT: not rules.act_on_old_exits, Reason.MISSED: rules.catch_up is CatchUp.SKIP}
        assert bound.reason is not None
        assert (waits | dropped)[bound.reason]
        assert bound.final == (bound.reason in dropped)
        if position.standing_exit is not None:
            assert bound.reason is Reason.HALTED
    else:
        assert bound.kind is free.kind


@given(row=signals, now=moments, rules=rules_of_any_kind, around=circumstances)
def test_what_only_waits_says_what_for_and_what_is_refused_stays_refused(
    row: PublishedSignal, now: datetime, rules: TradingRules, around: Circumstances
) -> None:
    decision = decide(row, None, now, rules, around)
    if decision.kind is DecisionKind.HOLD and not decision.final:
        assert decision.reason in RESTRAINTS | {Reason.NOT_CLOSED}
        free = decide(row, None, now, TradingRules(can_short=rules.can_short), UNRESTRAINED)
        assert free.kind is DecisionKind.ENTER or free.reason is Reason.NOT_CLOSED
    if decision.is_refusal:
        assert decide(row, None, now + timedelta(hours=5), rules, around).is_refusal


@given(stricter=st.sampled_from(list(ControlKind)), row=signals, position=st.none() | positions, now=moments)
def test_a_stricter_control_never_enters_what_a_milder_one_did_not(
    stricter: ControlKind, row: PublishedSignal, position: Position | None, now: datetime
) -> None:
    decision = decide(row, position, now, RULES, Circumstances(control=stricter))
    assert decision.kind is not DecisionKind.ENTER
