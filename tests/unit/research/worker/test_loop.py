from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs

from quantbus_contracts.errors import ArtefactError
from quantbus_contracts.testing import FakeHeartbeatStore
from quantbus_research.metrics import WorkerMetrics
from quantbus_research.worker.loop import BarLoop
from quantbus_research.worker.pulse import Pulse
from quantbus_research.workflows import train
from tests.unit.research.panels import MINUTE, START
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import World, make_world

BARS = 205
LAST = BARS - 1


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


class Worker:
    """A loop in a world, with its figures and its heartbeats."""

    def __init__(self, world: World, max_bars: int | None) -> None:
        self.registry = CollectorRegistry()
        self.strategy_id = world.session.strategy_id
        self.heartbeats = FakeHeartbeatStore()
        self.loop = BarLoop(
            world.session,
            metrics=WorkerMetrics(self.registry),
            pulse=Pulse(self.heartbeats, world.clock, instance="demo"),
            pause=world.pause,
            max_bars=max_bars,
        )

    def figure(self, name: str, **labels: str) -> float:
        if name.startswith("quantbus_research_"):
            labels = {"strategy_id": self.strategy_id, **labels}
        return self.registry.get_sample_value(name, labels) or 0.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path, bars=BARS)
    made.on_pause.append(made.feed)
    return made


def test_every_bar_is_evaluated_once_soon_after_it_closes(world: World) -> None:
    worker = Worker(world, max_bars=4)
    assert worker.loop.run() == 4
    assert sorted(world.runs()) == [LAST, LAST + 1, LAST + 2, LAST + 3]
    for bar in (LAST + 1, LAST + 2, LAST + 3):
        late = world.runs()[bar].evaluated_at - (START + (bar + 1) * MINUTE.delta)
        assert late <= timedelta(seconds=1)
    assert all(origin == "live" for _, origin in world.said().values())
    published = worker.figure("quantbus_signals_published_total", outcome="inserted")
    assert published == len(world.said("BTC/USDT")) + len(world.said("ETH/USDT"))
    assert worker.figure("quantbus_research_bars_total", outcome="evaluated") == 4
    assert worker.figure("quantbus_research_last_publish_timestamp_seconds") > 0


def test_a_round_trip_happens_within_four_bars_whatever_the_model_thinks(tmp_path: Path) -> None:
    stubborn = make_recipe("nodes.policy.enter=1.0", "nodes.policy.exit=0.0")
    world = make_world(tmp_path, bars=BARS, recipe=stubborn)
    world.on_pause.append(world.feed)
    Worker(world, max_bars=4).loop.run()
    actions = [action for action, _ in world.said().values()]
    assert actions[:2] == ["enter_long", "exit_long"]


def test_a_restarted_worker_says_the_same_as_one_that_ran_through(tmp_path: Path) -> None:
    through, broken = make_world(tmp_path / "a", bars=BARS), make_world(tmp_path / "b", bars=BARS)
    for world in (through, broken):
        world.on_pause.append(world.feed)
    Worker(through, max_bars=9).loop.run()
    for _ in range(9):
        Worker(broken, max_bars=1).loop.run()
        broken.clock.set(MINUTE.floor(broken.clock.now()) + MINUTE.delta + timedelta(seconds=0.2))
    assert broken.said() == through.said()
    assert sorted(broken.runs()) == sorted(through.runs())


def test_after_downtime_only_the_newest_bar_is_said(world: World) -> None:
    Worker(world, max_bars=1).loop.run()
    world.clock.advance(timedelta(minutes=4))
    world.feed(world.clock.now())
    Worker(world, max_bars=1).loop.run()
    assert sorted(world.runs()) == [LAST, LAST + 4]
    assert world.said()[LAST + 4] == ("exit_long", "live")


def test_missed_bars_are_caught_up_as_backfill_where_the_recipe_says_so(tmp_path: Path) -> None:
    recipe = make_recipe("nodes.publish.catch_up_bars=3")
    world = make_world(tmp_path, bars=BARS, recipe=recipe)
    world.on_pause.append(world.feed)
    Worker(world, max_bars=1).loop.run()
    world.clock.advance(timedelta(minutes=4))
    world.feed(world.clock.now())
    Worker(world, max_bars=1).loop.run()
    assert set(world.runs()) >= {LAST, LAST + 1, LAST + 2, LAST + 3, LAST + 4}
    said = world.said()
    assert said[LAST][1] == said[LAST + 4][1] == "live"
    assert {origin for bar, (_, origin) in said.items() if LAST < bar < LAST + 4} <= {"backfill"}


def test_a_bar_that_never_comes_is_recorded_as_degraded_in_time(world: World) -> None:
    world.on_pause.clear()
    world.clock.advance(MINUTE.delta)
    worker = Worker(world, max_bars=1)
    worker.loop.run()
    run = world.runs()[BARS]
    assert run.degraded == "BTC/USDT: the bar is missing; ETH/USDT: the bar is missing"
    assert run.pairs_evaluated == 0
    assert run.evaluated_at <= START + (BARS + 1) * MINUTE.delta + MINUTE.delta / 2
    assert worker.figure("quantbus_research_bars_total", outcome="degraded") == 1


def test_a_worker_that_waits_for_a_bar_still_shows_that_it_lives(world: World) -> None:
    world.on_pause.clear()
    world.clock.advance(MINUTE.delta)
    worker = Worker(world, max_bars=1)
    ages: list[timedelta] = []

    def look(now: datetime) -> None:
        ages.extend(now - beat.at for beat in worker.heartbeats.all())

    world.on_pause.append(look)
    worker.loop.run()
    assert len(ages) > 100
    assert max(ages) < timedelta(seconds=6)


def test_a_held_position_is_left_in_time_even_without_candles(world: World) -> None:
    Worker(world, max_bars=1).loop.run()
    world.on_pause.clear()
    Worker(world, max_bars=3).loop.run()
    assert world.said()[LAST + 2] == ("exit_long", "live")


def outage(world: World, worker: Worker, start: float, end: float) -> Callable[[datetime], None]:
    """Take the bus away from ``start`` to ``end`` (seconds from now); bars come in while it is there."""
    begin = world.clock.now()

    def happen(now: datetime) -> None:
        down = start <= (now - begin).total_seconds() < end
        for store in (world.candles, world.signals, worker.heartbeats):
            store.down = down
        if not down:
            world.feed(now)

    return happen


def test_a_short_outage_delays_a_bar_and_loses_nothing(world: World) -> None:
    worker = Worker(world, max_bars=2)
    world.on_pause[:] = [outage(world, worker, 59.0, 70.0)]
    worker.loop.run()
    assert sorted(world.runs()) == [LAST, LAST + 1]
    assert worker.figure("quantbus_research_bus_errors_total") >= 3
    assert world.runs()[LAST + 1].evaluated_at < START + (BARS + 1.5) * MINUTE.delta


def test_a_long_outage_costs_the_bars_it_covers_and_no_more(world: World) -> None:
    worker = Worker(world, max_bars=2)
    world.on_pause[:] = [outage(world, worker, 59.0, 170.0)]
    assert worker.loop.run() == 2
    assert sorted(world.runs()) == [LAST, LAST + 2]
    assert worker.figure("quantbus_research_bars_total", outcome="failed") == 1
    assert worker.figure("quantbus_research_bars_total", outcome="late") == 1


def test_a_worker_waits_for_history_instead_of_dying(tmp_path: Path) -> None:
    world = make_world(tmp_path, bars=95)
    world.on_pause.append(world.feed)
    worker = Worker(world, max_bars=1)
    worker.loop.run()
    assert sorted(world.runs()) == [99]
    assert worker.heartbeats.all()[0].detail["state"] == "publishing"


def test_a_worker_that_waits_for_history_says_so_once(tmp_path: Path) -> None:
    world = make_world(tmp_path, bars=60)
    with capture_logs() as logs:
        world.on_pause.append(lambda now: setattr(world, "stopped", now > START + timedelta(minutes=65)))
        Worker(world, max_bars=1).loop.run()
    assert len([line for line in logs if line["event"] == "waiting_for_history"]) == 1
    assert len([line for line in logs if line["event"] == "bar_missing"]) <= 1


def test_a_clock_that_was_ahead_and_is_set_back_does_not_silence_the_worker(world: World) -> None:
    world.clock.advance(timedelta(hours=1))  # bars of the future are not there
    worker = Worker(world, max_bars=4)

    def set_back(now: datetime) -> None:
        if LAST + 60 in world.runs() and now > START + timedelta(minutes=LAST + 60):
            world.clock.advance(timedelta(hours=-1))

    world.on_pause.insert(0, set_back)
    worker.loop.run()
    assert len([bar for bar in world.runs() if bar < LAST + 10]) == 3


def test_a_fault_that_stays_ends_the_worker(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_given: object) -> None:
        raise RuntimeError("a bug")

    monkeypatch.setattr(world.sink, "record_run", broken)
    worker = Worker(world, max_bars=None)
    with pytest.raises(RuntimeError, match="a bug"):
        worker.loop.run()
    assert worker.figure("quantbus_research_bars_total", outcome="failed") == 10


def test_a_tampered_model_ends_the_worker_at_once(world: World) -> None:
    trained = train(world.session, START + LAST * MINUTE.delta)
    folder = world.session.registry.folder("demo", trained.manifest.model_id)
    (folder / "model.txt").write_text("tree")
    with pytest.raises(ArtefactError):
        Worker(world, max_bars=None).loop.run()
    assert world.said() == {}


def test_a_stop_is_heard_between_bars(world: World) -> None:
    worker = Worker(world, max_bars=None)

    def stop_at_the_third_minute(_now: object) -> None:
        world.stopped = world.clock.now() > START + (BARS + 3) * MINUTE.delta

    world.on_pause.append(stop_at_the_third_minute)
    assert worker.loop.run() == 3


def test_a_worker_shows_that_it_lives(world: World) -> None:
    worker = Worker(world, max_bars=2)
    worker.loop.run()
    beat = worker.heartbeats.all()[0]
    assert (beat.process, beat.instance) == ("research", "demo")
    assert beat.started_at == START + BARS * MINUTE.delta
    assert beat.detail["strategy_id"] == "demo"
    assert world.clock.now() - beat.at < timedelta(seconds=6)
