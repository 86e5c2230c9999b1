"""What is late, missing, missed, doubled or nonsense."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from structlog.testing import capture_logs

from quantbus_contracts.timeframe import Timeframe
from tests.unit.research.panels import MINUTE, START
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import FakeSink, World, make_world
from tests.unit.research.worker.test_loop import Worker

BARS = 205
LAST = BARS - 1


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


def world_of(home: Path, *overrides: str) -> World:
    made = make_world(home, bars=BARS, recipe=make_recipe(*overrides))
    made.on_pause.append(made.feed)
    return made


def seconds_late(world: World, seconds: float) -> None:
    world.clock.advance(timedelta(seconds=seconds))


def test_entries_are_not_said_late_unless_the_recipe_wants_it(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.on_late=exits")
    seconds_late(world, 40)
    worker = Worker(world, max_bars=2)
    worker.loop.run()
    assert sorted(world.said()) == [LAST + 1], "the next bar is in time again"
    told = world.runs()[LAST].degraded
    assert told is not None
    assert told.startswith("nothing said but exits: said more than half a bar after its close")
    assert worker.figure("quantbus_research_bars_total", outcome="late") == 1
    assert worker.figure("quantbus_research_signals_held_back_total") == 2


def test_exits_are_said_late_and_say_so(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.on_late=exits")
    Worker(world, max_bars=1).loop.run()
    seconds_late(world, 160)  # two bars and forty seconds: the exit is due by time
    world.feed(world.clock.now())
    Worker(world, max_bars=1).loop.run()
    assert world.said() == {LAST: ("enter_long", "live"), LAST + 2: ("exit_long", "live")}
    [row] = [row for row in world.signals.signals.values() if row.signal.action == "exit_long"][:1]
    assert row.signal.degraded == "said more than half a bar after its close"


def test_a_recipe_may_say_everything_late_but_never_in_silence(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.on_late=publish_degraded")
    seconds_late(world, 40)
    worker = Worker(world, max_bars=1)
    worker.loop.run()
    assert {row.signal.degraded for row in world.signals.signals.values()} == {
        "said more than half a bar after its close"
    }
    assert world.runs()[LAST].degraded is not None
    assert worker.figure("quantbus_research_bars_total", outcome="late") == 1


def test_a_recipe_may_say_nothing_late(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.on_late=nothing")
    seconds_late(world, 40)
    Worker(world, max_bars=1).loop.run()
    assert world.said() == {}
    assert world.runs()[LAST].signals == 0


def test_a_restart_late_in_a_bar_does_not_touch_what_was_said_in_time(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.on_late=publish_degraded")
    Worker(world, max_bars=1).loop.run()
    rows, runs = dict(world.signals.signals), world.runs()
    assert rows
    seconds_late(world, 40)
    Worker(world, max_bars=1).loop.run()
    assert world.signals.signals == rows
    assert world.runs() == runs


class SlowFrames:
    """Reading takes so long that the next bar has closed before anything is said."""

    def __init__(self, world: World, seconds: float) -> None:
        self.world, self.seconds = world, seconds
        self.read = world.session.frames

    def __call__(
        self, symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime
    ) -> pd.DataFrame:
        self.world.clock.advance(timedelta(seconds=self.seconds))
        self.seconds = 0.0
        return self.read(symbols, timeframe, start, end)


def test_a_bar_is_never_live_once_the_next_one_has_closed(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    Worker(world, max_bars=1).loop.run()  # so that the model is there and reading is all that takes time
    before = dict(world.signals.signals)
    seconds_late(world, 60)
    world.feed(world.clock.now())
    world.session = replace(world.session, frames=SlowFrames(world, 61.0))
    worker = Worker(world, max_bars=1)
    worker.loop.run()
    assert worker.figure("quantbus_research_bars_total", outcome="skipped") == 1
    assert sorted(world.runs()) == [LAST, LAST + 2]
    assert {key for key in world.signals.signals if key not in before}


def test_a_clock_that_is_behind_the_bars_says_nothing_but_exits(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.on_late=exits")
    world.on_pause.clear()
    world.clock.advance(timedelta(minutes=-10))
    worker = Worker(world, max_bars=1)
    worker.loop.run()
    assert world.said() == {}
    told = world.runs()[LAST - 10].degraded
    assert told is not None
    assert "newer bars are there than the clock knows of" in told


@pytest.mark.parametrize(("policy", "pairs"), [("publish_degraded", {"ETH/USDT"}), ("nothing", set[str]())])
def test_what_becomes_of_the_others_where_one_bar_is_missing_is_the_recipes_choice(
    tmp_path: Path, policy: str, pairs: set[str]
) -> None:
    world = world_of(tmp_path, f"nodes.publish.on_missing={policy}")
    world.on_pause[:] = [lambda now: world.feed(now, without="BINANCE:BTCUSDT")]
    world.clock.advance(MINUTE.delta)
    Worker(world, max_bars=1).loop.run()
    assert {row.signal.pair for row in world.signals.signals.values()} == pairs
    run = world.runs()[BARS]
    assert run.degraded is not None
    assert "BTC/USDT: the bar is missing" in run.degraded
    assert run.degraded.startswith("nothing said") == (policy == "nothing")
    assert run.evaluated_at <= START + (BARS + 1.5) * MINUTE.delta


def test_a_bar_that_cannot_have_been_counts_as_missing(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    nonsense = world.panel.index.get_level_values(1) == START + LAST * MINUTE.delta
    nonsense &= world.panel.index.get_level_values(0) == "BINANCE:BTCUSDT"
    world.panel.loc[nonsense, ["close", "low"]] = float("nan")
    Worker(world, max_bars=1).loop.run()
    assert {row.signal.pair for row in world.signals.signals.values()} == {"ETH/USDT"}
    assert world.runs()[LAST].degraded == "BTC/USDT: the bar is missing"


def test_bars_lost_to_an_outage_are_caught_up_while_the_worker_runs(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.catch_up_bars=5")
    worker = Worker(world, max_bars=2)
    begin = world.clock.now()

    def away(now: datetime) -> None:
        down = 59 <= (now - begin).total_seconds() < 245
        for store in (world.candles, world.signals, worker.heartbeats):
            store.down = down
        if not down:
            world.feed(now)

    world.on_pause[:] = [away]
    worker.loop.run()
    assert set(world.runs()) >= {LAST, LAST + 1, LAST + 2, LAST + 3, LAST + 4}
    assert {said[1] for bar, said in world.said().items() if LAST < bar < LAST + 4} <= {"backfill"}
    assert worker.figure("quantbus_research_bars_total", outcome="caught_up") >= 3


def test_catching_up_gives_way_to_a_bar_that_closes_and_goes_on_after_it(tmp_path: Path) -> None:
    world = world_of(tmp_path, "nodes.publish.catch_up_bars=8")
    read = world.session.frames

    def slow(symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime) -> pd.DataFrame:
        world.clock.advance(timedelta(seconds=8))
        return read(symbols, timeframe, start, end)

    world.session = replace(world.session, frames=slow)
    Worker(world, max_bars=4).loop.run()
    late = [run.evaluated_at - MINUTE.close_of(run.ts) for bar, run in world.runs().items() if bar > LAST]
    assert len(late) == 3
    assert max(late) < MINUTE.delta / 2
    assert set(range(LAST - 8, LAST)) <= set(world.runs())


def test_two_workers_of_one_strategy_say_it_once(tmp_path: Path) -> None:
    alone, doubled = world_of(tmp_path / "a"), world_of(tmp_path / "b")
    Worker(alone, max_bars=6).loop.run()
    for _ in range(6):
        Worker(doubled, max_bars=1).loop.run()
        other = replace(doubled.session, sink=FakeSink(doubled.signals))
        Worker(replace(doubled, session=other), max_bars=1).loop.run()
        doubled.clock.set(MINUTE.floor(doubled.clock.now()) + MINUTE.delta + timedelta(seconds=0.2))
    assert doubled.said() == alone.said()
    assert {row.version for row in doubled.signals.signals.values()} == {1}


def test_a_shadow_speaks_under_its_own_id_and_changes_nothing_else(tmp_path: Path) -> None:
    alone, shadowed = world_of(tmp_path / "a"), world_of(tmp_path / "b")
    Worker(alone, max_bars=4).loop.run()
    for _ in range(4):
        Worker(shadowed, max_bars=1).loop.run()
        session = replace(shadowed.session, speaks_as="demo.shadow", from_stage="candidate")
        beside = Worker(replace(shadowed, session=session), max_bars=1)
        beside.loop.run()
        assert beside.figure("quantbus_research_bars_total", outcome="evaluated") == 1
        [beat] = beside.heartbeats.all()
        assert beat.detail["shadow_of"] == "demo"
        shadowed.clock.set(MINUTE.floor(shadowed.clock.now()) + MINUTE.delta + timedelta(seconds=0.2))
    assert shadowed.said() == alone.said()
    rows = shadowed.signals.range("demo.shadow", MINUTE, "BTC/USDT", START, START + timedelta(days=9))
    said = {int((row.signal.ts - START) / MINUTE.delta): row.signal.action for row in rows}
    assert said == {bar: action for bar, (action, _) in alone.said().items()}
    assert {row.signal.model_id for row in rows} <= set(shadowed.session.registry.model_ids("demo"))
    declared = shadowed.sink.strategies.get("demo.shadow")
    assert declared is not None
    assert (declared.strategy.note or "").startswith("In the shadow of demo")
