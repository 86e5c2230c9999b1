"""A run of the whole graph that is late in its bar, or lacks some bars, keeps the rules that the worker keeps."""

from datetime import timedelta
from pathlib import Path

import pytest

from quantbus_contracts.errors import ArtefactError
from quantbus_contracts.testing import make_candle
from quantbus_research.settings import Recipe
from quantbus_research.workflows.nodes import NEWEST, Artefact
from tests.unit.research.nodes.ground import CHOICE, HOUR, RULE, TAIL, World, hourly, recipe_of
from tests.unit.research.nodes.test_publishing import BAR, NOW, PAIR, Run, said, targets, told

LATE = "said more than half a bar after its close"
ENTERS = targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1)
LEAVES = targets(0, 0, 0, 0, 0, 0, 0, 0, 1, 0)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(hourly(10, names=("BTC", "ETH", "ADA", "SOL")), tmp_path)


def recipe(*sets: str, choice: bool = False, hold_bars: int | None = None) -> Recipe:
    chosen = [f"nodes.publish.{one}" for one in sets]
    chosen += [f"nodes.policy.hold_bars={hold_bars}"] if hold_bars else []
    return recipe_of(CHOICE if choice else RULE, TAIL, sets=chosen)


def trouble(world: World) -> str | None:
    run = world.signals.last_run("small", HOUR)
    assert run is not None
    assert run.ts == BAR
    return run.degraded


def late(world: World, minutes: float = 31) -> World:
    world.clock.advance(timedelta(minutes=minutes))
    return world


def lacking(artefact: Artefact, symbol: str) -> Artefact:
    """Return the targets of bars among which the newest one of ``symbol`` is missing."""
    newest = dict(artefact.facts[NEWEST]) | {symbol: (BAR - HOUR.delta).isoformat()}  # type: ignore[arg-type]
    return Artefact(artefact.type, artefact.tables, facts={**artefact.facts, NEWEST: newest})


def test_a_run_in_the_first_half_of_its_bar_says_it_without_a_mark(world: World) -> None:
    Run(late(world, 29), recipe())(ENTERS)
    assert told(world) == {9: ("enter_long", "live")}
    assert said(world)[9].signal.degraded is None
    assert trouble(world) is None


def test_a_run_late_in_its_bar_holds_back_what_enters_and_says_why(world: World) -> None:
    made = Run(late(world), recipe())(ENTERS)
    assert told(world) == {}
    assert made.facts["held_back"] == 1
    assert trouble(world) == made.facts["trouble"]
    assert str(trouble(world)).startswith(f"nothing said but exits: {LATE}")
    assert made.table("signals").empty


def test_a_run_late_in_its_bar_says_exits_and_marks_them(world: World) -> None:
    Run(late(world), recipe())(LEAVES)
    assert told(world) == {9: ("exit_long", "live")}
    assert said(world)[9].signal.degraded == LATE


def test_a_recipe_may_have_all_said_late_with_a_mark_or_nothing(world: World) -> None:
    Run(late(world), recipe("on_late=nothing"))(LEAVES)
    assert told(world) == {}
    assert trouble(world) == f"nothing said: {LATE}"
    Run(world, recipe("on_late=publish_degraded"))(ENTERS)
    assert told(world) == {9: ("enter_long", "live")}
    assert said(world)[9].signal.degraded == LATE


def test_what_was_said_in_time_is_not_touched_by_a_run_that_comes_late(world: World) -> None:
    asked = recipe("on_late=publish_degraded")
    Run(world, asked)(ENTERS)
    rows, evaluated = dict(world.signals.signals), world.signals.last_run("small", HOUR)
    made = Run(late(world), asked)(targets(0, 0, 0, 0, 0, 0, 0, 0, 1, 0))
    assert world.signals.signals == rows
    assert world.signals.last_run("small", HOUR) == evaluated
    assert made.facts["signals"] == 0


def test_a_clock_that_is_behind_the_bars_is_taken_for_late(world: World) -> None:
    session = world.session(recipe())
    session.candles.write([make_candle(symbol="BINANCE:BTCUSDT", timeframe="1h", open_time=NOW)])  # type: ignore[attr-defined]
    world.session = lambda _: session  # type: ignore[method-assign,assignment]
    Run(world, recipe())(ENTERS)
    assert told(world) == {}
    assert "newer bars are there than the clock knows of" in str(trouble(world))


def test_a_rehearsal_shows_what_may_be_said_now(world: World) -> None:
    made = Run(late(world), recipe("history_bars=3"), dry=True)(targets(0, 0, 0, 0, 0, 0, 0, 1, 0, 1))
    assert made.table("signals")["origin"].tolist() == ["backfill", "backfill"]
    assert made.facts["held_back"] == 1


def test_what_is_said_about_the_past_knows_no_late(world: World) -> None:
    Run(late(world), recipe("history_bars=3"), as_of=NOW - HOUR.delta)(targets(0, 0, 0, 0, 0, 0, 0, 0, 1))
    assert told(world) == {8: ("enter_long", "backfill")}


def test_a_missing_bar_marks_what_compares_pairs_and_no_more(world: World) -> None:
    alone = lacking(ENTERS, "BINANCE:ETHUSDT")
    Run(world, recipe())(alone)
    assert said(world)[9].signal.degraded is None
    assert trouble(world) == "ETH/USDT: the bar is missing"
    chosen = lacking(targets(0.5, first=9, speaks="weight"), "BINANCE:ETHUSDT")
    Run(world, recipe(choice=True))(chosen)
    assert said(world)[9].signal.degraded == "no bar of ETH/USDT"


def test_a_recipe_may_say_nothing_where_a_bar_is_missing(world: World) -> None:
    made = Run(world, recipe("on_missing=nothing"))(lacking(ENTERS, "BINANCE:ETHUSDT"))
    assert told(world) == {}
    assert made.facts["held_back"] == 1
    assert str(trouble(world)).startswith("nothing said: no bar of ETH/USDT")


@pytest.mark.parametrize(("hold_bars", "says"), [(1, True), (9, False)])
def test_an_exit_that_is_due_by_time_goes_out_without_its_bar(
    world: World, hold_bars: int, says: bool
) -> None:
    asked = recipe("on_missing=nothing", hold_bars=hold_bars)
    Run(world, asked)(ENTERS)
    world.clock.advance(HOUR.delta)
    held = targets(0, 0, 0, 0, 0, 0, 0, 0, 1, 0)  # the newest bar of this pair is not there
    Run(world, asked, as_of=NOW + HOUR.delta)(held)
    assert (10 in told(world)) is says
    if says:
        assert said(world)[10].signal.degraded == "the bar is missing"


def test_where_the_next_bar_closes_while_a_run_goes_on_nothing_is_live(world: World) -> None:
    read = world.signals.range

    def slow(*asked: object) -> object:
        world.clock.set(NOW + HOUR.delta)
        return read(*asked)  # type: ignore[arg-type]

    world.signals.range = slow  # type: ignore[method-assign,assignment]
    made = Run(world, recipe())(ENTERS)
    world.signals.range = read  # type: ignore[method-assign]
    assert told(world) == {}
    assert made.facts["signals"] == 0
    assert world.signals.last_run("small", HOUR) is None


def test_targets_that_do_not_say_which_bars_are_there_are_not_published(world: World) -> None:
    facts = {name: fact for name, fact in ENTERS.facts.items() if name != NEWEST}
    with pytest.raises(ArtefactError, match=f"expected the fact '{NEWEST}'"):
        Run(world, recipe())(Artefact(ENTERS.type, ENTERS.tables, facts=facts))
    assert told(world) == {}
    assert PAIR not in str(world.signals.signals)
