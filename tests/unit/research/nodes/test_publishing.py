"""What a run says to the bus, and what it keeps to itself."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.schema import PublishedSignal, PublishReport, Signal
from quantbus_research.settings import Recipe
from quantbus_research.settings.nodes import ArtefactType
from quantbus_research.workflows.nodes import KINDS, NEWEST, PASSED, SNAPSHOT, Artefact, Context, Inputs, Json
from tests.unit.research.nodes.ground import CHOICE, HOUR, NAMES, RULE, TAIL, World, hourly, recipe_of
from tests.unit.research.panels import START

PAIR, SYMBOL = "BTC/USDT", "BINANCE:BTCUSDT"
ALL = [f"BINANCE:{name}USDT" for name in NAMES]
NOW = START + timedelta(hours=10)
BAR = NOW - HOUR.delta


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(hourly(10, names=("BTC", "ETH", "ADA", "SOL")), tmp_path)


def targets(*rows: float, symbol: str = SYMBOL, speaks: str = "action", first: int = 0) -> Artefact:
    """Return the targets of one symbol, bar by bar; the last is of the newest closed bar where there are ten."""
    moments = pd.DatetimeIndex([pd.Timestamp(START + (first + n) * HOUR.delta) for n in range(len(rows))])
    index = pd.MultiIndex.from_product([[symbol], moments], names=["symbol", "datetime"])
    table = pd.DataFrame({"target": list(rows), "score": 0.5, "close": 100.0}, index=index)
    facts: dict[str, Json] = {"speaks": speaks, "shared": speaks == "weight", SNAPSHOT: "a-snapshot"}
    facts[NEWEST] = dict.fromkeys(ALL, moments.max().isoformat())
    return Artefact(ArtefactType.TARGETS, {"targets": table}, facts=facts)


def verdicts(*, passed: bool) -> Artefact:
    return Artefact(ArtefactType.VERDICTS, facts={PASSED: passed})


@dataclass
class Run:
    """One go of the node."""

    world: World
    recipe: Recipe
    as_of: datetime = NOW
    dry: bool = False
    inputs: tuple[Artefact, ...] = field(default_factory=tuple)

    def __call__(self, *inputs: Artefact) -> Artefact:
        settings = self.recipe.publish
        context = Context(self.recipe, self.as_of, 1, self.dry, lambda: self.world.session(self.recipe))
        return KINDS["publish"].run(Inputs(inputs), settings, context)


def recipe(*sets: str, choice: bool = False) -> Recipe:
    return recipe_of(CHOICE if choice else RULE, TAIL, sets=[f"nodes.publish.{one}" for one in sets])


def said(world: World, pair: str = PAIR) -> dict[int, PublishedSignal]:
    """Return what stands on the bus, by number of bar."""
    rows = world.signals.range("small", HOUR, pair, START, START + timedelta(days=9))
    return {int((row.signal.ts - START) / HOUR.delta): row for row in rows}


def told(world: World) -> Mapping[int, tuple[str | None, str]]:
    return {number: (row.signal.action, row.signal.origin) for number, row in said(world).items()}


def test_a_change_at_the_newest_closed_bar_is_said_live_and_nothing_before_it(world: World) -> None:
    made = Run(world, recipe())(targets(0, 1, 0, 0, 0, 0, 0, 0, 0, 1))
    assert told(world) == {9: ("enter_long", "live")}
    row = said(world)[9].signal
    assert row.valid_until == NOW + 2 * HOUR.delta
    assert (row.score, row.ref_price, row.snapshot_id) == (0.5, 100.0, "a-snapshot")
    assert made.facts["published"] == {
        **dict.fromkeys(("revised", "unchanged", "stale", "unknown", "rejected"), 0),
        "inserted": 1,
    }


def test_a_position_that_goes_on_is_not_entered_late(world: World) -> None:
    Run(world, recipe())(targets(0, 0, 0, 0, 0, 0, 0, 1, 1, 1))
    assert told(world) == {}


def test_past_bars_are_said_as_backfill_as_far_back_as_the_recipe_asks(world: World) -> None:
    run = Run(world, recipe("history_bars=5"))
    run(targets(0, 1, 0, 0, 0, 1, 1, 0, 0, 1))
    assert told(world) == {
        5: ("enter_long", "backfill"),
        7: ("exit_long", "backfill"),
        9: ("enter_long", "live"),
    }
    again = run(targets(0, 1, 0, 0, 0, 1, 1, 0, 0, 1))
    assert isinstance(again.facts["published"], dict)
    assert again.facts["published"]["unchanged"] == 3


def test_a_run_about_the_past_says_nothing_live(world: World) -> None:
    Run(world, recipe("history_bars=9"), as_of=NOW - HOUR.delta)(targets(0, 0, 0, 0, 0, 0, 0, 1, 0))
    assert told(world) == {7: ("enter_long", "backfill"), 8: ("exit_long", "backfill")}
    declared = world.sink.strategies.get("small")
    assert declared is not None
    assert declared.strategy.cadence_bars is None
    assert world.signals.last_run("small", HOUR) is None


def test_what_was_said_live_is_never_said_otherwise_afterwards(world: World) -> None:
    Run(world, recipe())(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
    world.clock.advance(2 * HOUR.delta)
    later = Run(world, recipe("history_bars=9"), as_of=NOW + 2 * HOUR.delta)
    later(targets(0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0))
    assert told(world)[9] == ("enter_long", "live")
    assert told(world)[8] == ("enter_long", "backfill")


def test_an_exit_that_fell_into_a_downtime_is_said_as_soon_as_somebody_speaks(world: World) -> None:
    Run(world, recipe())(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
    world.clock.advance(3 * HOUR.delta)
    Run(world, recipe(), as_of=NOW + 3 * HOUR.delta)(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0))
    assert told(world) == {9: ("enter_long", "live"), 12: ("exit_long", "live")}
    assert "nobody spoke" in str(said(world)[12].signal.note)
    Run(world, recipe(), as_of=NOW + 3 * HOUR.delta)(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0))
    assert said(world)[12].version == 1


@pytest.mark.parametrize(("sets", "expected"), [((), 0), (("when_refused='publish'",), 1)])
def test_what_the_gates_refuse_goes_out_only_where_the_recipe_wants_it(
    world: World, sets: tuple[str, ...], expected: int
) -> None:
    asked = recipe("when_refused='nothing'", *sets)
    made = Run(world, asked)(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1), verdicts(passed=False))
    assert len(told(world)) == expected
    assert made.facts["refused"] is True
    assert made.facts["signals"] == 1
    assert (made.facts["published"] is None) is (expected == 0)
    assert len(made.table("signals")) == 1


def test_what_the_gates_pass_goes_out(world: World) -> None:
    Run(world, recipe("when_refused='nothing'"))(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1), verdicts(passed=True))
    assert told(world) == {9: ("enter_long", "live")}


def test_a_rehearsal_shows_the_rows_and_changes_nothing(world: World) -> None:
    made = Run(world, recipe("history_bars=9"), dry=True)(targets(0, 1, 0, 0, 0, 0, 0, 0, 0, 1))
    assert made.table("signals")["action"].tolist() == ["enter_long", "exit_long", "enter_long"]
    assert told(world) == {}
    assert world.sink.strategies.get("small") is None


def test_an_evaluated_bar_is_recorded_also_where_nothing_is_said(world: World) -> None:
    Run(world, recipe())(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 0))
    run = world.signals.last_run("small", HOUR)
    assert run is not None
    assert (run.ts, run.signals, run.pairs_evaluated) == (BAR, 0, 1)


def test_weights_are_said_at_every_choice_and_zero_where_a_pair_is_dropped(world: World) -> None:
    asked = recipe("history_bars=9", choice=True)
    Run(world, asked)(targets(0.5, 0.5, 0.0, 0.0, 0.5, first=5, speaks="weight"))
    rows = {number: (row.signal.weight, row.signal.action) for number, row in said(world).items()}
    assert rows == {5: (0.5, None), 6: (0.5, None), 7: (0.0, None), 9: (0.5, None)}
    assert said(world)[9].signal.origin == "live"


def test_a_weight_that_was_dropped_while_nobody_spoke_is_ended(world: World) -> None:
    asked = recipe(choice=True)
    Run(world, asked)(targets(0.5, first=9, speaks="weight"))
    world.clock.advance(3 * HOUR.delta)
    Run(world, asked, as_of=NOW + 3 * HOUR.delta)(targets(0.5, 0.0, first=9, speaks="weight"))
    assert {number: row.signal.weight for number, row in said(world).items()} == {9: 0.5, 12: 0.0}


def test_rows_that_were_not_confirmed_are_an_error_that_says_to_run_again(world: World) -> None:
    def unconfirmed(rows: list[Signal]) -> PublishReport:
        return PublishReport(unknown=len(rows))

    world.sink.publish = unconfirmed  # type: ignore[method-assign,assignment]
    with pytest.raises(BusUnavailable, match="1 of 1 signals were not confirmed; run again"):
        Run(world, recipe())(targets(0, 0, 0, 0, 0, 0, 0, 0, 0, 1))
    assert world.signals.last_run("small", HOUR) is None
