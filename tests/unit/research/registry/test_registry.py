import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.errors import ArtefactError
from quantbus_research.models import LightGBMClassifier
from quantbus_research.registry import (
    DataSpan,
    Manifest,
    ModelRegistry,
    code_version,
    model_id_of,
    sha256_of,
)
from tests.unit.research.models.test_lightgbm_classifier import rows, settings

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SPAN = DataSpan(
    timeframe="1m", first_open_time=NOON, last_open_time=NOON, bars={"BINANCE:BTCUSDT": 1}, snapshot_id="d"
)


def make_model(seed: int = 1) -> tuple[LightGBMClassifier, Manifest]:
    model = LightGBMClassifier.fit(*rows(), settings(seed=seed))
    manifest = Manifest(
        model_id="20260105T1200-abc",
        strategy_id="demo",
        kind=model.kind,
        model_sha256=sha256_of(model.to_text()),
        trained_at=NOON,
        code_version="1",
        training_hash="t",
        seed=seed,
        data=SPAN,
        factors={"a": "1", "b": "2", "c": "3"},
        label="direction",
        metrics={"auc": 0.5, "rank_ic": None},
        description=model.describe(),
    )
    return model, manifest


@pytest.fixture
def registry(tmp_path: Path) -> ModelRegistry:
    return ModelRegistry(tmp_path / "models")


def test_a_stored_model_comes_back_as_it_was(registry: ModelRegistry) -> None:
    model, manifest = make_model()
    folder = registry.save(model, manifest)
    assert sorted(path.name for path in folder.iterdir()) == ["model.txt", "model_info.json"]
    again, read = registry.load("demo", manifest.model_id)
    assert read == manifest
    assert again.to_text() == model.to_text()


def test_a_model_that_was_tampered_with_is_refused(registry: ModelRegistry) -> None:
    model, manifest = make_model()
    path = registry.save(model, manifest) / "model.txt"
    path.write_text(path.read_text().replace("leaf_value=", "leaf_value= ", 1))
    with pytest.raises(ArtefactError, match="changed after training"):
        registry.load("demo", manifest.model_id)


@pytest.mark.parametrize("name", ["model.txt", "model_info.json"])
def test_a_missing_file_is_refused(registry: ModelRegistry, name: str) -> None:
    model, manifest = make_model()
    (registry.save(model, manifest) / name).unlink()
    with pytest.raises(ArtefactError, match="--retrain"):
        registry.load("demo", manifest.model_id)


def test_a_manifest_that_was_cut_off_is_refused(registry: ModelRegistry) -> None:
    model, manifest = make_model()
    path = registry.save(model, manifest) / "model_info.json"
    path.write_text(path.read_text()[:100])
    with pytest.raises(ArtefactError, match="cannot read the model"):
        registry.load("demo", manifest.model_id)


def test_storing_again_replaces_and_leaves_nothing_else(registry: ModelRegistry) -> None:
    registry.save(*make_model(seed=1))
    model, manifest = make_model(seed=2)
    folder = registry.save(model, manifest)
    assert registry.load("demo", manifest.model_id)[1].seed == 2
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_save_that_fails_leaves_the_former_model(
    registry: ModelRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, manifest = make_model(seed=1)
    folder = registry.save(model, manifest)

    def full_disk(_self: Manifest, **_given: object) -> str:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Manifest, "model_dump_json", full_disk)
    with pytest.raises(OSError, match="No space left"):
        registry.save(*make_model(seed=2))
    assert registry.load("demo", manifest.model_id)[1].seed == 1
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_manifest_is_plain_json_for_people(registry: ModelRegistry) -> None:
    model, manifest = make_model()
    read = json.loads((registry.save(model, manifest) / "model_info.json").read_text())
    assert read["data"]["bars"] == {"BINANCE:BTCUSDT": 1}
    assert read["metrics"]["rank_ic"] is None


def test_an_id_follows_everything_that_decides_the_model() -> None:
    given: dict[str, Any] = {
        "training_hash": "t",
        "data": SPAN,
        "factors": {"a": "1"},
        "code_version": "1",
        "library": "4",
    }
    plain = model_id_of(**given)
    assert plain == model_id_of(**given)
    other = SPAN.model_copy(update={"snapshot_id": "e"})
    changes: tuple[dict[str, Any], ...] = (
        {"training_hash": "u"},
        {"data": other},
        {"factors": {"a": "2"}},
        {"code_version": "2"},
        {"library": "5"},
    )
    for change in changes:
        assert model_id_of(**{**given, **change}) != plain


def test_the_code_version_names_the_sources() -> None:
    release, _, digest = code_version().partition("+")
    assert release
    assert len(digest) == 12
