import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.dataset import TooFewBars
from quantbus_research.factors import lookback_bars
from quantbus_research.gates import Gate
from quantbus_research.registry import Baseline, Manifest
from quantbus_research.settings import PublishSettings, Recipe
from quantbus_research.workflows import (
    SawTheFuture,
    Session,
    narrowed,
    predict,
    promote,
    rehearse,
    rollback,
    run_once,
    train,
    train_now,
)
from tests.unit.research.gates.worlds import moving_series
from tests.unit.research.panels import MINUTE, START, panel_of
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import World, make_world

BARS, TOTAL = 600, 640
RECIPE = make_recipe("nodes.bars.train_bars=600", "nodes.model.family=linear", "nodes.gates.cost_rate=0.0005")


def patterned(home: Path, recipe: Recipe = RECIPE) -> World:
    """Return a world whose moves go on as they went, so that there is something to learn."""
    world = make_world(home, bars=BARS, recipe=recipe, total=TOTAL)
    world.panel = panel_of(
        BTC=moving_series(TOTAL, seed=1, memory=0.8), ETH=moving_series(TOTAL, seed=2, memory=0.8)
    )
    return world


@pytest.fixture
def world(tmp_path: Path) -> World:
    return patterned(tmp_path)


def later(world: World, bars: int) -> World:
    """Let bars come."""
    newest = MINUTE.last_closed(world.clock.now())
    world.clock.advance(bars * MINUTE.delta)
    for opened in MINUTE.range(newest + MINUTE.delta, newest + (bars + 1) * MINUTE.delta):
        world.candles.write(world.coming.pop(opened))
    return world


def of_stage(world: World, stage: str) -> Session:
    return replace(world.session, recipe=world.session.recipe.changed(PublishSettings, stage=stage))


def files_below(home: Path) -> set[str]:
    return {str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()}


def test_a_model_has_papers_for_people_and_for_machines(world: World) -> None:
    manifest = train_now(world.session, retrain=False).manifest
    folder = world.session.registry.folder("demo", manifest.model_id)
    papers = {"card.json", "card.md", "feature_baseline.json", "features.json"}
    assert set(manifest.files) == papers
    assert {path.name for path in folder.iterdir()} == {*papers, "model.txt", "model_info.json"}
    told = json.loads((folder / "features.json").read_text())["features"]
    assert [row["name"] for row in told] == list(world.session.recipe.factors.names)
    assert [row["signature"] for row in told] == list(manifest.factors.values())
    baseline = Baseline.model_validate_json((folder / "feature_baseline.json").read_text())
    assert list(baseline.features) == list(world.session.recipe.factors.names)
    assert baseline.score.rows == baseline.features["rsi_14"].rows > 1_000
    card = (folder / "card.md").read_text()
    for part in (manifest.model_sha256, "seed 7", manifest.code_version, "Known limits", "2026-01-05 09:59"):
        assert part in card
    assert json.loads((folder / "card.json").read_text())["limits"] == list(manifest.limits)


def test_a_card_says_where_a_model_is_not_to_be_trusted(tmp_path: Path) -> None:
    chance = train_now(make_world(tmp_path, bars=205).session, retrain=False).manifest
    assert any("hardly better than chance" in limit or "few" in limit for limit in chance.limits)
    assert any("not calibrated" in limit for limit in chance.limits)


@pytest.mark.parametrize("kind", ["lightgbm", "linear"])
def test_a_calibrated_model_is_trained_stored_and_asked(tmp_path: Path, kind: str) -> None:
    recipe = make_recipe(
        "nodes.bars.train_bars=600", f"nodes.model.family={kind}", "nodes.model.calibration=sigmoid"
    )
    world = patterned(tmp_path, recipe)
    manifest = train_now(world.session, retrain=False).manifest
    assert manifest.kind == f"{kind}+sigmoid"
    assert (manifest.metrics["brier"] or 1.0) < 0.25
    report = run_once(world.session)
    assert report.model.reused
    assert report.inference.report.inserted == 2


def test_training_again_gives_the_same_bits(world: World, tmp_path: Path) -> None:
    first = train_now(world.session, retrain=True).manifest
    again = train_now(patterned(tmp_path / "other").session, retrain=True).manifest
    assert (first.model_id, first.model_sha256, first.files) == (
        again.model_id,
        again.model_sha256,
        again.files,
    )


def test_a_model_that_lives_learns_from_as_many_bars_as_one_of_a_run(tmp_path: Path) -> None:
    def learnt(*sets: str) -> Manifest:
        recipe = make_recipe("nodes.bars.train_bars=600", "nodes.model.family=linear", *sets)
        return train_now(patterned(tmp_path / str(len(sets)), recipe).session, retrain=False).manifest

    lookback = lookback_bars(RECIPE.factors.names)
    assert set(learnt().data.bars.values()) == {600}
    assert set(learnt("nodes.model.train_bars=300").data.bars.values()) == {300 + lookback - 1}
    assert set(learnt("nodes.model.train_bars=300", "nodes.model.grow=true").data.bars.values()) == {600}


def test_resuming_leaves_what_is_there_and_trains_what_is_not(world: World) -> None:
    pairs = [replace(world.session, recipe=narrowed(RECIPE, [pair])) for pair in RECIPE.market.pairs]
    train_now(pairs[0], retrain=True)
    assert [train_now(session, retrain=False).reused for session in pairs] == [True, False]


def test_only_one_pair_is_seen_when_only_one_is_asked_for(world: World) -> None:
    assert RECIPE.training_hash  # computed before, and not to be taken over
    alone = replace(world.session, recipe=narrowed(RECIPE, ["ETH/USDT"]))
    manifest = train_now(alone, retrain=False).manifest
    assert list(manifest.data.bars) == ["BINANCE:ETHUSDT"]
    assert manifest.training_hash != RECIPE.training_hash
    with pytest.raises(ConfigError, match=r"expected some of the recipe's pairs.*'SOL/USDT'"):
        narrowed(RECIPE, ["SOL/USDT"])


def test_a_rehearsal_tells_all_and_writes_nothing(world: World, tmp_path: Path) -> None:
    planned, metrics = rehearse(world.session)
    assert not planned.is_stored
    assert files_below(tmp_path) == set()
    trained = train_now(world.session, retrain=False).manifest
    assert (trained.model_id, dict(trained.metrics)) == (planned.model_id, metrics)
    assert rehearse(world.session)[0].is_stored


def test_too_little_history_is_refused_in_a_rehearsal_too(tmp_path: Path) -> None:
    with pytest.raises(TooFewBars):
        rehearse(make_world(tmp_path, bars=95).session)


def test_a_model_that_passes_is_promoted_and_speaks(world: World) -> None:
    manifest = train_now(world.session, retrain=False).manifest
    promotion = promote(world.session, to="production")
    assert (promotion.done, promotion.told) == (True, "promoted to production")
    assert [verdict.passed for verdict in promotion.verdicts] == [True] * 4
    book = world.session.registry.book("demo")
    assert book.production == manifest.model_id
    assert book.history[0].figures["information.information_ratio"]
    later(world, 20)
    report = run_once(of_stage(world, "production"))
    assert report.model.manifest.model_id == manifest.model_id
    assert run_once(world.session).model.manifest.model_id != manifest.model_id


def test_a_model_that_knows_nothing_is_refused_with_numbers(tmp_path: Path) -> None:
    world = make_world(tmp_path, bars=BARS, recipe=RECIPE, total=TOTAL)
    train_now(world.session, retrain=False)
    promotion = promote(world.session)
    assert not promotion.done
    assert promotion.told.startswith("refused by ")
    told = json.dumps(promotion.as_dict(), allow_nan=False)
    assert "information_ratio_before_costs" in told
    assert world.session.registry.book("demo").revision == 0


def test_what_is_there_already_is_not_judged_again(world: World) -> None:
    train_now(world.session, retrain=False)
    assert promote(world.session, to="staging").done
    assert promote(world.session, to="staging").told == "it is in staging already"
    assert promote(world.session, to="production").done
    assert promote(world.session, to="staging").told == "it is in production already"


def two_models(world: World) -> tuple[Manifest, Manifest]:
    first = train_now(world.session, retrain=False).manifest
    second = train_now(later(world, 20).session, retrain=False).manifest
    return first, second


def test_a_rollback_brings_the_former_model_back_at_once(world: World) -> None:
    first, second = two_models(world)
    assert promote(world.session, first.model_id).done
    promotion = promote(world.session)
    assert (promotion.model_id, promotion.displaced) == (second.model_id, first.model_id)
    done = rollback(world.session.registry, "demo", now=world.clock.now(), why="loses")
    assert (done.done, done.production, done.withdrawn) == (True, first.model_id, second.model_id)
    assert predict(world.session).manifest.model_id == first.model_id
    again = rollback(world.session.registry, "demo", now=world.clock.now())
    assert (again.done, again.told) == (False, f"there is no model before {first.model_id}")


def test_a_rollback_to_a_model_that_was_changed_changes_nothing(world: World) -> None:
    first, second = two_models(world)
    promote(world.session, first.model_id)
    promote(world.session, second.model_id)
    path = world.session.registry.folder("demo", first.model_id) / "model.txt"
    path.write_text(path.read_text() + "\n")
    with pytest.raises(ArtefactError, match="changed after training"):
        rollback(world.session.registry, "demo", now=world.clock.now())
    assert world.session.registry.book("demo").production == second.model_id


def test_of_two_promotions_at_once_one_is_told_that_the_stages_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    first, second = two_models(world)
    both_judged = threading.Barrier(2)
    ask = Gate.__call__

    def together(self: Gate, trial: object) -> object:
        verdict = ask(self, trial)  # type: ignore[arg-type] # handed on
        if self.name == "overlap":
            both_judged.wait(30)
        return verdict

    monkeypatch.setattr(Gate, "__call__", together)
    found = []
    threads = [
        threading.Thread(target=lambda name=name: found.append(promote(world.session, name)))
        for name in (first.model_id, second.model_id)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    won, lost = sorted(found, key=lambda promotion: not promotion.done)
    assert (won.done, lost.done) == (True, False)
    assert lost.told == f"the stages changed meanwhile; {won.model_id} is in production"
    assert world.session.registry.book("demo").line == (won.model_id,)


def test_a_model_of_another_recipe_is_not_judged(world: World) -> None:
    manifest = train_now(world.session, retrain=False).manifest
    other = replace(world.session, recipe=make_recipe("nodes.bars.train_bars=500"))
    with pytest.raises(ConfigError, match="trained by this recipe"):
        promote(other, manifest.model_id)
    with pytest.raises(ConfigError, match="that this recipe of demo trained, found 1 of others"):
        promote(other)
    with pytest.raises(ConfigError, match="found no 'nobody'"):
        promote(world.session, "nobody")


def test_bars_that_were_changed_after_training_are_not_judged_on(world: World) -> None:
    manifest = train_now(world.session, retrain=False).manifest
    folder = world.session.snapshots / manifest.data.snapshot_id
    for path in folder.iterdir():
        if path.suffix == ".parquet":
            path.write_bytes(path.read_bytes()[:-8] + b"12345678")
    with pytest.raises(ArtefactError):
        promote(world.session)


def test_without_a_model_on_the_stage_nothing_speaks(world: World) -> None:
    train_now(world.session, retrain=False)
    with pytest.raises(ConfigError, match="expected a model of demo in production, found none"):
        run_once(of_stage(world, "production"))
    assert not world.signals.signals


def test_a_model_says_nothing_about_bars_it_was_trained_on(world: World) -> None:
    manifest = train_now(world.session, retrain=False).manifest
    promote(world.session)
    newest = manifest.data.last_open_time
    session = of_stage(world, "production")
    assert train(session, newest).manifest == manifest
    with pytest.raises(SawTheFuture, match="trained on what came after it"):
        train(session, newest - MINUTE.delta)
    with pytest.raises(SawTheFuture):
        predict(session, model_id=manifest.model_id, as_of=START + timedelta(minutes=300))


CHANGES: dict[str, tuple[str, Callable[[], Recipe]]] = {
    "factors": ("factors rsi_14", lambda: make_recipe('nodes.seen.names=["log_return_1"]')),
    "label": ("label 'direction, 2 bars'", lambda: make_recipe("nodes.rises.horizon_bars=3")),
    "pairs": ("pairs", lambda: make_recipe('market.pairs=["BTC/USDT", "SOL/USDT"]')),
}


@pytest.mark.parametrize("what", CHANGES)
def test_a_model_made_for_something_else_does_not_speak(world: World, what: str) -> None:
    train_now(world.session, retrain=False)
    promote(world.session)
    named, recipe = CHANGES[what]
    other = replace(world.session, recipe=recipe())
    with pytest.raises(ConfigError, match="to be made for recipe demo, found other") as caught:
        predict(other)
    assert named.partition(" ")[0] in str(caught.value)


def test_a_prediction_is_what_a_run_would_say_and_leaves_no_trace(world: World, tmp_path: Path) -> None:
    manifest = train_now(world.session, retrain=False).manifest
    before = files_below(tmp_path)
    told = predict(world.session, model_id=manifest.model_id)
    assert not world.signals.signals
    assert world.runs() == {}
    assert files_below(tmp_path) == before
    said = {verdict.view.pair: verdict.view.score for verdict in run_once(world.session).inference.verdicts}
    assert {view.pair: view.score for view in told.views} == said
    rows = told.as_dict()["pairs"]
    assert isinstance(rows, list)
    assert all(0.0 <= row["probability"] <= 1.0 for row in rows)


def test_the_judged_bars_are_the_trained_ones(world: World) -> None:
    train_now(world.session, retrain=False)
    before = promote(world.session, to="staging").verdicts
    world.panel = world.panel.assign(close=1.0)  # what the bus says later does not matter
    assert isinstance(world.panel, pd.DataFrame)
    assert promote(world.session, to="production").verdicts == before
