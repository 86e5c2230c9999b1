"""The laws of gates: a model passes all of them only if it knows something, and none of them ever fails."""

import json
from math import isfinite

import pytest

from quantbus_research.gates import GATES, Gate, Trial
from quantbus_research.labels import forward_return
from tests.unit.research.gates.worlds import trial

WORLDS: dict[str, Trial] = {
    "a pattern": trial(memory=0.8),
    "a pattern, linear": trial("nodes.model.family=linear", memory=0.8),
    "a random walk": trial(),
    "hardly any bars": trial(bars=90),
    "one bar": trial(bars=1),
    "one factor": trial('nodes.seen.names=["log_return_1"]', memory=0.8),
    "calibrated on too little": trial("nodes.model.calibration=isotonic", bars=100),
}


def still() -> Trial:
    world = trial(bars=400)
    return Trial(world.panel.assign(open=1.0, high=1.0, low=1.0, close=1.0), world.recipe, world.as_of)


@pytest.fixture(params=[*WORLDS, "prices that stand still"])
def world(request: pytest.FixtureRequest) -> Trial:
    name: str = request.param
    return WORLDS[name] if name in WORLDS else still()


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_it_always_has_an_answer_with_numbers(gate: Gate, world: Trial) -> None:
    verdict = gate(world)
    assert verdict.gate == gate.name
    assert verdict.told
    assert isinstance(verdict.passed, bool)
    json.dumps(dict(verdict.figures), allow_nan=False)
    assert all(isfinite(value) for value in verdict.figures.values() if isinstance(value, float))


@pytest.mark.parametrize("gate", GATES, ids=lambda gate: gate.name)
def test_it_gives_the_same_answer_again_and_leaves_the_bars_alone(gate: Gate) -> None:
    world = WORLDS["a random walk"]
    before = world.panel.copy()
    assert gate(world) == gate(Trial(world.panel.copy(), world.recipe, world.as_of))
    assert world.panel.equals(before)


@pytest.mark.parametrize("name", ["a pattern", "a pattern, linear"])
def test_a_model_that_knows_something_passes_all(name: str) -> None:
    verdicts = [gate(WORLDS[name]) for gate in GATES]
    assert [verdict.told for verdict in verdicts if not verdict.passed] == []


@pytest.mark.parametrize("name", ["a random walk", "hardly any bars", "one bar"])
def test_a_model_that_knows_nothing_is_refused(name: str) -> None:
    assert not all(gate(WORLDS[name]).passed for gate in GATES)


def test_prices_that_stand_still_are_refused() -> None:
    assert not all(gate(still()).passed for gate in GATES)


def test_the_answer_needs_no_bar_after_training() -> None:
    whole = trial(memory=0.8, bars=1_500)
    cut = whole.panel[
        whole.panel.index.get_level_values(1) < whole.as_of - 300 * whole.recipe.market.bars.delta
    ]
    earlier = (cut.index.get_level_values(1).max() + whole.recipe.market.bars.delta).to_pydatetime()
    known = forward_return(whole.panel, whole.recipe.market.bars, 2, entry="next_open")
    assert known.known_at.max() > earlier  # there is something to be had
    seen = [gate(Trial(cut, whole.recipe, earlier)) for gate in GATES]
    more = Trial(whole.panel, whole.recipe, earlier)
    assert [gate(more).figures for gate in GATES[1:]] == [verdict.figures for verdict in seen[1:]]


def test_each_gate_has_a_name_of_its_own_and_says_what_it_asks() -> None:
    assert len({gate.name for gate in GATES}) == len(GATES)
    assert all(gate.description.endswith(".") for gate in GATES)
