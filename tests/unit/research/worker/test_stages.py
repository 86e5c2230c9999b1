from collections.abc import Iterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from quantbus_contracts.errors import ConfigError
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


def test_a_worker_without_a_model_in_production_says_nothing_and_gives_up(world: World) -> None:
    with pytest.raises(ConfigError, match="in production, found none"):
        Worker(world, max_bars=1).loop.run()
    assert not world.signals.signals
