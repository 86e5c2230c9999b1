import multiprocessing
import os
import signal
import threading
from datetime import UTC, datetime, timedelta
from multiprocessing.synchronize import Event
from pathlib import Path

import pytest

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.registry import Manifest, ModelRegistry, StageBook, sha256_of
from tests.unit.research.registry.test_registry import make_model

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def put(book: StageBook, model_id: str, stage: str = "production") -> StageBook:
    at = NOON + timedelta(minutes=book.revision)
    return book.promoted(model_id, f"sha-{model_id}", stage, at=at, why="passed", figures={"x": 1.0})  # type: ignore[arg-type] # one of two words


def back(book: StageBook) -> StageBook | None:
    return book.rolled_back(at=NOON, why="worse")


def store(registry: ModelRegistry, model_id: str, seed: int = 1) -> Manifest:
    model, manifest = make_model(seed)
    manifest = manifest.model_copy(update={"model_id": model_id})
    registry.save(model, manifest)
    return manifest


def test_a_model_goes_from_candidate_to_staging_to_production_and_is_retired_by_the_next() -> None:
    book = StageBook()
    assert book.stage_of("a") == "candidate"
    book = put(book, "a", "staging")
    assert (book.stage_of("a"), book.at("staging"), book.at("production")) == ("staging", "a", None)
    book = put(book, "a")
    assert (book.stage_of("a"), book.at("staging"), book.at("production")) == ("production", None, "a")
    book = put(book, "b")
    assert (book.stage_of("a"), book.stage_of("b")) == ("retired", "production")
    assert [(change.model_id, change.came_from, change.goes_to) for change in book.history] == [
        ("a", "candidate", "staging"),
        ("a", "staging", "production"),
        ("b", "candidate", "production"),
        ("a", "production", "retired"),
    ]


def test_what_staging_loses_is_retired() -> None:
    book = put(put(StageBook(), "a", "staging"), "b", "staging")
    assert (book.stage_of("a"), book.at("staging")) == ("retired", "b")


def test_each_rollback_goes_one_further_back_until_there_is_none() -> None:
    book: StageBook | None = put(put(put(StageBook(), "a"), "b"), "c")
    for expected in ("b", "a"):
        assert book is not None
        book = back(book)
        assert book is not None
        assert book.production == expected
    assert book is not None
    assert (book.stage_of("b"), book.stage_of("c")) == ("retired", "retired")
    assert back(book) is None
    assert back(StageBook()) is None


def test_a_model_that_was_withdrawn_may_come_again() -> None:
    book = back(put(put(StageBook(), "a"), "b"))
    assert book is not None
    again = put(book, "b")
    assert again.production == "b"
    last = back(again)
    assert last is not None
    assert last.production == "a"


def test_stages_come_back_from_disk_as_they_were(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    book = put(StageBook(), "a")
    assert registry.replace_book("demo", book, read_at_revision=0)
    assert registry.book("demo") == book
    assert registry.book("other") == StageBook()


def test_a_book_that_was_read_before_another_wrote_is_refused(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    assert registry.replace_book("demo", put(StageBook(), "a"), read_at_revision=0)
    assert not registry.replace_book("demo", put(StageBook(), "b"), read_at_revision=0)
    assert registry.book("demo").production == "a"


def test_of_many_writers_at_once_every_one_is_heard_or_told(tmp_path: Path) -> None:
    registry, won, gate = ModelRegistry(tmp_path), [], threading.Barrier(8)

    def write(name: str) -> None:
        gate.wait()
        while True:
            book = registry.book("demo")
            if registry.replace_book("demo", put(book, name), read_at_revision=book.revision):
                won.append(name)
                return

    threads = [threading.Thread(target=write, args=(f"m{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    book = registry.book("demo")
    assert sorted(book.line) == sorted(won) == [f"m{number}" for number in range(8)]
    assert book.revision == 8


def write_until_killed(root: Path, started: Event) -> None:
    registry = ModelRegistry(root)
    while True:
        book = registry.book("demo")
        registry.replace_book("demo", put(book, f"m{book.revision}"), read_at_revision=book.revision)
        if book.revision == 3:
            started.set()


def test_a_writer_that_is_killed_leaves_a_whole_book_and_no_lock(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    started = context.Event()
    writer = context.Process(target=write_until_killed, args=(tmp_path, started))
    writer.start()
    assert started.wait(20)
    assert writer.pid
    os.kill(writer.pid, signal.SIGKILL)
    writer.join(20)
    registry = ModelRegistry(tmp_path)
    book = registry.book("demo")
    assert book.line == tuple(f"m{number}" for number in range(book.revision))
    assert registry.replace_book("demo", put(book, "last"), read_at_revision=book.revision)


def test_a_book_that_cannot_be_read_is_no_empty_book(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    registry.replace_book("demo", put(StageBook(), "a"), read_at_revision=0)
    path = tmp_path / "demo" / "stages.json"
    path.write_text(path.read_text()[:50])
    with pytest.raises(ArtefactError, match="cannot read the stages"):
        registry.load_stage("demo", "production")


def test_the_model_on_a_stage_is_the_one_that_was_promoted(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    assert registry.load_stage("demo", "production") is None
    manifest = store(registry, "a")
    book = StageBook().promoted("a", manifest.model_sha256, "production", at=NOON, why="", figures={})
    registry.replace_book("demo", book, read_at_revision=0)
    found = registry.load_stage("demo", "production")
    assert found is not None
    assert found[1] == manifest
    store(registry, "a", seed=2)
    with pytest.raises(ArtefactError, match="it was replaced since"):
        registry.load_stage("demo", "production")


def test_a_sound_model_that_is_stored_again_is_left_alone(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    store(registry, "a")
    before = (tmp_path / "demo" / "a" / "model_info.json").stat().st_ino
    store(registry, "a")
    assert (tmp_path / "demo" / "a" / "model_info.json").stat().st_ino == before


def test_two_savings_of_one_model_at_once_leave_it_whole(tmp_path: Path) -> None:
    registry, faults = ModelRegistry(tmp_path), []

    def save(seed: int) -> None:
        try:
            for _ in range(5):
                store(registry, "a", seed)
        except OSError as error:
            faults.append(error)

    threads = [threading.Thread(target=save, args=(seed,)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert faults == []
    registry.load("demo", "a")
    assert registry.model_ids("demo") == ("a",)


def test_a_move_that_fails_puts_the_former_model_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = ModelRegistry(tmp_path)
    store(registry, "a", seed=1)
    real = Path.rename

    def fails(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", fails)
    with pytest.raises(OSError, match="Input/output"):
        store(registry, "a", seed=2)
    assert registry.load("demo", "a")[1].seed == 1


def test_papers_are_checked_by_their_hash(tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path)
    model, manifest = make_model()
    papers = {"features.json": "{}\n"}
    with pytest.raises(ArtefactError, match="names the hashes"):
        registry.save(model, manifest, papers)
    manifest = manifest.model_copy(update={"files": {"features.json": sha256_of("{}\n")}})
    path = registry.save(model, manifest, papers) / "features.json"
    registry.load("demo", manifest.model_id)
    path.write_text("{ }\n")
    with pytest.raises(ArtefactError, match=r"features\.json.*changed after training"):
        registry.load("demo", manifest.model_id)


@pytest.mark.parametrize("name", ["..", ".", "../demo", "a/b", "", ".lock", "a" * 129])
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    for strategy_id, model_id in ((name, "a"), ("demo", name)):
        with pytest.raises(ConfigError, match="expected letters, digits"):
            ModelRegistry(tmp_path / "models").contains(strategy_id, model_id)
