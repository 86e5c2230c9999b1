"""Why a signal fired: from its own bars and model, or not at all."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.testing import make_signal
from quantbus_research.dataset import keep_panel, load_panel, panel_query, snapshot_id
from quantbus_research.factors import Vocabulary
from quantbus_research.registry import ModelRegistry
from quantbus_research.settings import Recipe, RecipeSource, load_recipe
from quantbus_research.workflows import run_once, why
from quantbus_research.workflows.views import bars_to_load
from tests.unit.research.panels import BTC, MINUTE, altered
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import World, make_world

RULE = """
description = "made up"
strategy_id = "rule"
[market]
venue = "BINANCE"
pairs = ["BTC/USDT", "ETH/USDT"]
timeframe = "1m"
[nodes.bars]
kind = "data"
train_bars = 100
min_train_bars = 50
[nodes.seen]
kind = "factors"
inputs = ["bars"]
names = ["rsi_14", "ema_distance_20"]
[nodes.opinion]
kind = "score"
inputs = ["seen"]
votes = [{ factor = "rsi_14", above = -1000.0 }, { factor = "ema_distance_20", above = 1000.0, weight = 3.0 }]
[nodes.policy]
kind = "rule"
inputs = ["opinion"]
thresholds = "absolute"
enter = -0.5
exit = -0.9
[nodes.publish]
kind = "publish"
inputs = ["policy"]
"""


def spoken(home: Path, recipe: Recipe | None = None) -> tuple[World, PublishedSignal]:
    """Return a world whose recipe has just published, and its signal on BTC."""
    world = make_world(home, bars=205, recipe=recipe or make_recipe())
    report = run_once(world.session)
    (signal,) = (item for item in report.inference.signals if item.pair == "BTC/USDT")
    published = world.signals.get(signal.signal_id)
    assert published is not None
    return world, published


@pytest.mark.parametrize(
    ("family", "calibration"), [("lightgbm", "none"), ("lightgbm", "isotonic"), ("linear", "sigmoid")]
)
def test_a_models_signal_is_the_sum_of_its_parts(tmp_path: Path, family: str, calibration: str) -> None:
    recipe = make_recipe(f"nodes.model.family={family}", f"nodes.model.calibration={calibration}")
    world, published = spoken(tmp_path, recipe)
    told = why(world.session, published.signal_id)
    steps = dict(told.steps)
    assert told.base + sum(part.added or 0.0 for part in told.parts) == pytest.approx(
        steps["log odds"], abs=1e-9
    )
    assert steps["score"] == published.signal.score
    assert [part.factor for part in told.parts] != sorted(recipe.factors.names)
    assert {part.factor for part in told.parts} == set(recipe.factors.names)
    assert all(part.usual_deviation is not None for part in told.parts)
    assert (told.calibration is None) == (calibration == "none")
    assert told.thresholds is not None
    assert told.bars_from == "the bus"
    assert told.as_dict()["signal_id"] == published.signal_id


def test_a_rules_signal_names_the_condition_that_held(tmp_path: Path) -> None:
    recipe = load_recipe(RecipeSource("rule", RULE), factors=frozenset({"rsi_14", "ema_distance_20"}))
    world, published = spoken(tmp_path, recipe)
    told = why(world.session, published.signal_id)
    assert [(part.condition, part.holds, part.added) for part in told.parts] == [
        ("above -1000", True, 0.5),
        ("above 1000", False, 0.0),
    ]
    assert (told.speaker, told.base, dict(told.steps)) == ("rule", -1.0, {"score": published.signal.score})


def test_a_rules_signal_of_a_whole_run_is_explained_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = load_recipe(RecipeSource("rule", RULE), factors=Vocabulary())
    world, published = spoken(tmp_path, recipe)
    market, signal = recipe.market, published.signal
    question = {"as_of": MINUTE.close_of(signal.ts), "bars": recipe.data.train_bars}
    panel = load_panel(world.session.frames, market.instruments, MINUTE, **question)  # type: ignore[arg-type]
    of_run = snapshot_id(panel, panel_query(market.instruments, MINUTE, **question))  # type: ignore[arg-type]
    assert of_run != signal.snapshot_id
    said = published.model_copy(update={"signal": signal.model_copy(update={"snapshot_id": of_run})})
    monkeypatch.setattr(world.signals, "get", lambda _: said)
    told = why(world.session, published.signal_id)
    assert told.bars_from == "the bus"
    assert dict(told.steps)["score"] == signal.score


def test_bars_that_were_corrected_since_explain_nothing_unless_a_snapshot_was_kept(tmp_path: Path) -> None:
    world, published = spoken(tmp_path)
    recipe, market = world.session.recipe, world.session.recipe.market
    asked = {"as_of": published.signal.closes_at, "bars": bars_to_load(recipe)}
    seen = load_panel(world.session.frames, market.instruments, MINUTE, **asked)  # type: ignore[arg-type] # one value each
    before = why(world.session, published.signal_id)
    world.panel = altered(world.panel, BTC, published.signal.ts, close=float(world.panel["close"].iloc[0]))
    with pytest.raises(ArtefactError, match="bars were corrected, came late or are gone"):
        why(world.session, published.signal_id)
    query = panel_query(market.instruments, MINUTE, **asked)  # type: ignore[arg-type] # as above
    keep_panel(seen, query, world.session.snapshots, now=world.clock.now())
    after = why(world.session, published.signal_id)
    assert after.bars_from == "a snapshot"
    assert after.parts == before.parts


def test_another_model_under_the_same_name_explains_nothing(tmp_path: Path) -> None:
    world, published = spoken(tmp_path)
    with pytest.raises(ConfigError, match="among those stored here, found none"):
        why(replace(world.session, registry=ModelRegistry(tmp_path / "elsewhere")), published.signal_id)
    signal = published.signal.model_copy(update={"model_hash": "0" * 64})
    world.signals.signals[published.signal_id] = published.model_copy(update={"signal": signal})
    with pytest.raises(ArtefactError, match=f"expected model {signal.model_id} with sha256 0000"):
        why(world.session, published.signal_id)


def test_a_score_that_comes_out_otherwise_is_not_explained(tmp_path: Path) -> None:
    world, published = spoken(tmp_path)
    assert published.signal.score is not None
    signal = published.signal.model_copy(update={"score": published.signal.score + 1e-12})
    world.signals.signals[published.signal_id] = published.model_copy(update={"signal": signal})
    with pytest.raises(ArtefactError, match="other code or libraries compute it otherwise now"):
        why(world.session, published.signal_id)


def test_what_the_recipe_did_not_say_is_refused(tmp_path: Path) -> None:
    world, published = spoken(tmp_path)
    changed = replace(world.session, recipe=make_recipe("nodes.policy.hold_bars=9"))
    with pytest.raises(ConfigError, match="give the recipe of that time, with its --set and --pairs"):
        why(changed, published.signal_id)
    with pytest.raises(ConfigError, match="expected a signal on the bus, found no 'nothing'"):
        why(world.session, "nothing")
    foreign = make_signal(
        ts=pd.Timestamp(published.signal.ts).to_pydatetime(), timeframe="1m", source="notebook"
    )
    world.signals.publish([foreign])
    with pytest.raises(ConfigError, match="there are no factors behind it"):
        why(world.session, foreign.signal_id)
