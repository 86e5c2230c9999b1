from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from quantbus_research.registry import ModelRegistry, StageBook
from quantbus_research.workflows import rollback, train_now
from tests.unit.research.panels import MINUTE, START
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import World, make_world
from tests.unit.research.worker.test_loop import Worker

BARS = 205


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    with capture_logs():
        yield


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = make_world(tmp_path, bars=BARS, recipe=make_recipe("nodes.publish.stage=production"))
    made.on_pause.append(made.feed)
    return made


def put_in_production(world: World, bar: int) -> str:
    """Train on the bars before ``bar`` and write the model into the book, whatever gates would say."""
    as_of = START + bar * MINUTE.delta
    manifest = train_now(world.session, as_of, retrain=False).manifest
    registry: ModelRegistry = world.session.registry
    book: StageBook = registry.book("demo")
    put = book.promoted(
        manifest.model_id, manifest.model_sha256, "production", at=as_of, why="a test", figures={}
    )
    assert registry.replace_book("demo", put, read_at_revision=book.revision)
    return manifest.model_id


def models_by_bar(world: World) -> dict[int, str | None]:
    rows = world.signals.range("demo", MINUTE, "BTC/USDT", START, START + 400 * MINUTE.delta)
    return {int((row.signal.ts - START) / MINUTE.delta): row.signal.model_id for row in rows}


def test_the_model_in_production_speaks_and_none_is_trained(world: World) -> None:
    model_id = put_in_production(world, 180)
    worker = Worker(world, max_bars=12)  # beyond the step at which a candidate would be trained
    assert worker.loop.run() == 12
    assert set(models_by_bar(world).values()) == {model_id}
    assert world.session.registry.model_ids("demo") == (model_id,)
    assert worker.figure("quantbus_research_trainings_total", outcome="trained") == 0
    assert worker.figure("quantbus_research_trainings_total", outcome="reused") == 1


def test_a_rollback_is_heard_at_the_next_bar(world: World) -> None:
    first, second = put_in_production(world, 170), put_in_production(world, 190)

    def go_back(now: object) -> None:
        if models_by_bar(world) and world.session.registry.book("demo").production == second:
            rollback(world.session.registry, "demo", now=world.clock.now())

    world.on_pause.append(go_back)
    Worker(world, max_bars=6).loop.run()
    spoken = list(models_by_bar(world).values())
    assert spoken[0] == second
    assert set(spoken[1:]) == {first}


def test_catching_up_leaves_out_bars_that_the_model_was_trained_on(tmp_path: Path) -> None:
    recipe = make_recipe("nodes.publish.stage=production", "nodes.publish.catch_up_bars=30")
    world = make_world(tmp_path, bars=BARS, recipe=recipe)
    put_in_production(world, 190)
    Worker(world, max_bars=1).loop.run()
    assert sorted(world.runs()) == list(range(189, BARS))


def test_a_worker_waits_for_a_model_says_so_once_and_goes_on_when_one_is_promoted(world: World) -> None:
    worker = Worker(world, max_bars=1)

    def promoted_much_later(now: datetime) -> None:
        if now > START + (BARS + 20) * MINUTE.delta and not world.session.registry.model_ids("demo"):
            [beat] = worker.heartbeats.all()
            assert beat.detail["state"] == "waiting_for_model"
            assert "quantbus research promote" in str(beat.detail["why"])
            assert now - beat.at < timedelta(seconds=7)
            assert worker.figure("quantbus_research_waiting") == 1
            put_in_production(world, 190)

    world.on_pause.append(promoted_much_later)
    with capture_logs() as logs:
        assert worker.loop.run() == 1
    assert [line["event"] for line in logs].count("waiting_for_model") == 1
    assert sorted(world.runs()) == [BARS + 19]
    assert worker.figure("quantbus_research_waiting") == 0
    assert worker.figure("quantbus_research_bars_total", outcome="failed") == 0


def test_who_waits_for_a_model_still_leaves_in_time(world: World) -> None:
    put_in_production(world, 190)
    Worker(world, max_bars=1).loop.run()
    assert world.said()[BARS - 1] == ("enter_long", "live")
    (world.session.registry.folder("demo", "stages.json")).unlink()

    def stop_in_time(now: datetime) -> None:
        world.stopped = now > START + (BARS + 4) * MINUTE.delta

    world.on_pause.append(stop_in_time)
    Worker(world, max_bars=None).loop.run()
    assert world.said() == {BARS - 1: ("enter_long", "live"), BARS + 1: ("exit_long", "live")}
    assert world.runs()[BARS + 1].degraded is not None
