"""What each kind of node makes of its inputs."""

import json
from datetime import timedelta
from pathlib import Path

import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.dataset import TooFewBars
from quantbus_research.factors import compute
from quantbus_research.workflows.nodes import PASSED, SNAPSHOT
from tests.unit.research.nodes.ground import (
    CHOICE,
    HOUR,
    MODEL,
    REPORT,
    RULE,
    TAIL,
    World,
    hourly,
    recipe_of,
    same,
)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(hourly(), tmp_path)


@pytest.mark.parametrize(
    "parts", [(RULE, TAIL), (CHOICE, TAIL), (MODEL, TAIL)], ids=["rule", "choice", "model"]
)
def test_a_recipe_runs_from_bars_to_signals_and_twice_the_same(
    parts: tuple[str, ...], tmp_path: Path
) -> None:
    recipe = recipe_of(*parts)
    made = World(hourly(), tmp_path / "a").run(recipe)
    again = World(hourly(), tmp_path / "b").run(recipe, jobs=3)
    for name, settings in recipe.nodes.items():
        assert made[name].type is settings.makes
        assert same(made[name], again[name]), name


@pytest.mark.parametrize(
    "parts", [(RULE, TAIL), (CHOICE, TAIL), (MODEL, TAIL)], ids=["rule", "choice", "model"]
)
def test_nothing_up_to_a_bar_depends_on_what_comes_after_it(parts: tuple[str, ...], tmp_path: Path) -> None:
    panel = hourly()
    recipe = recipe_of(*parts)
    whole = World(panel, tmp_path / "a").run(recipe)
    cut = panel.index.get_level_values(1)[500]
    short = World(panel[panel.index.get_level_values(1) < cut], tmp_path / "b").run(recipe)
    for name, table in (("seen", "factors"), ("score", "scores"), ("policy", "targets")):
        known = whole[name].table(table)
        known = known[known.index.get_level_values(1) < cut]
        pd.testing.assert_frame_equal(short[name].table(table), known, check_freq=False)


def test_bars_are_those_that_were_closed_and_say_which_they_are(world: World) -> None:
    as_of = world.end - timedelta(minutes=90)
    bars = world.run(recipe_of(), as_of=as_of)["bars"]
    opened = bars.table("bars").index.get_level_values(1)
    assert opened.max() == pd.Timestamp(world.end) - 3 * HOUR.delta
    assert len(str(bars.facts[SNAPSHOT])) >= 32
    later = world.run(recipe_of())["bars"]
    assert later.facts[SNAPSHOT] != bars.facts[SNAPSHOT]


def test_a_pair_with_too_few_bars_is_named(world: World) -> None:
    with pytest.raises(TooFewBars, match=r"at least 900 1h bars of each pair, but ADA/USDT has 600"):
        world.run(recipe_of(sets=["nodes.bars.min_train_bars=900"]))


def test_factors_say_where_their_look_back_has_a_gap(world: World) -> None:
    opened = world.panel.index.get_level_values(1)
    missing = (world.panel.index.get_level_values(0) == "BINANCE:ETHUSDT") & (opened == opened[400])
    world.panel = world.panel[~missing]
    made = world.run(recipe_of(RULE))["seen"]
    history = made.table("history")
    broken = history[~history["unbroken"]].loc["BINANCE:ETHUSDT"].index
    lookback = int(str(made.facts["lookback_bars"]))
    after = broken[broken > opened[400]]
    assert len(after) == lookback - 1
    pd.testing.assert_frame_equal(made.table("factors"), compute(world.panel, recipe_of(RULE).factors.names))


@pytest.mark.parametrize(
    ("on_gap", "holds"), [("skip", True), ("skip_open", True), ("publish_degraded", False)]
)
def test_over_a_gap_a_position_is_left_alone_where_the_recipe_says_so(
    world: World, on_gap: str, *, holds: bool
) -> None:
    opened = world.panel.index.get_level_values(1)
    missing = (world.panel.index.get_level_values(0) == "BINANCE:ETHUSDT") & (opened == opened[400])
    world.panel = world.panel[~missing]
    made = world.run(recipe_of(RULE, sets=[f"nodes.policy.on_gap='{on_gap}'"]))
    targets = made["policy"].table("targets").xs("BINANCE:ETHUSDT")["target"]
    lookback = int(str(made["seen"].facts["lookback_bars"]))
    after = targets[(targets.index > opened[400])].iloc[: lookback - 1]
    assert (after.nunique() == 1) is holds


def test_a_choice_holds_the_best_in_equal_parts_at_midnight_only(world: World) -> None:
    made = world.run(recipe_of(CHOICE))
    targets, scores = made["policy"].table("targets"), made["score"].table("scores")["score"]
    assert set(pd.DatetimeIndex(targets.index.get_level_values(1)).hour) == {0}
    for moment, row in targets["target"].groupby(level=1):
        assert sorted(row) == [0.0, 0.0, 0.5, 0.5]
        best = scores.xs(moment, level=1).nlargest(2).index
        assert set(row[row > 0].index.get_level_values(0)) == set(best)


@pytest.mark.parametrize("drop", [(), ("nodes.policy.drop=1",)], ids=["anew", "exchanged"])
def test_a_held_pair_whose_bar_is_missing_at_a_turn_is_not_sold_and_keeps_its_place(
    world: World, drop: tuple[str, ...]
) -> None:
    recipe = recipe_of(CHOICE, sets=drop)
    targets = world.run(recipe)["policy"].table("targets")["target"]
    turns = targets.index.get_level_values(1).unique()
    turn, before = turns[-5], turns[-6]
    held = targets[targets > 0].xs(before, level=1).index[0]
    gone = (world.panel.index.get_level_values(0) == held) & (world.panel.index.get_level_values(1) == turn)
    world.panel = world.panel[~gone]
    told = world.run(recipe)["policy"].table("targets")["target"].xs(turn, level=1)
    assert held not in told.index
    assert sorted(told) == [0.0, 0.0, 0.5], "one place of two is taken by what is not known"


def test_what_is_due_by_time_leaves_also_while_a_model_cannot_score(world: World) -> None:
    sets = ["nodes.policy.hold_bars=6", "nodes.policy.enter=-1.0", "nodes.policy.exit=-1.0"]
    opened = world.panel.index.get_level_values(1)
    moments = opened.unique().sort_values()
    gone = (world.panel.index.get_level_values(0) == "BINANCE:ETHUSDT") & (opened == moments[450])
    world.panel = world.panel[~gone]
    made = world.run(recipe_of(MODEL, sets=sets))
    table = made["policy"].table("targets").xs("BINANCE:ETHUSDT")
    blind = table[(table.index > moments[450]) & table["score"].isna()]
    assert len(blind) > 20, "a gap in the look-back leaves bars without a score"
    assert blind["target"].iloc[:6].max() in (0.0, 1.0)
    assert blind["target"].iloc[6:].max() == 0.0, "held for six bars at most, whatever is not known"


def test_more_cannot_be_held_than_there_are(world: World) -> None:
    with pytest.raises(ConfigError, match="hold: expected at most the 4 pairs of the recipe, found 5"):
        world.run(recipe_of(CHOICE, sets=["nodes.policy.hold=5"]))


def test_a_model_speaks_only_of_bars_it_has_not_seen(world: World) -> None:
    made = world.run(recipe_of(MODEL))["score"]
    stretches = made.table("stretches")
    assert made.table("scores").index.get_level_values(1).min() == stretches.index.min()
    first = world.panel.index.get_level_values(1).min()
    assert stretches.index.min() >= first + 300 * HOUR.delta
    assert made.texts["model.txt"].startswith("{")
    assert str(made.facts["model_id"]).startswith("run-")


def test_a_backtest_adds_up_and_starts_with_the_first_target(world: World) -> None:
    made = world.run(recipe_of(RULE, TAIL))
    equity, summary = made["backtest"].table("equity"), made["backtest"].facts["summary"]
    first = made["policy"].table("targets").index.get_level_values(1).min()
    assert equity.index.min() == first
    assert isinstance(summary, dict)
    result = summary["result"]
    assert isinstance(result, dict)
    assert equity["equity"].iloc[-1] / 10_000.0 - 1.0 == pytest.approx(result["total_return"])
    assert len(made["backtest"].table("orders")) > 0


def test_costs_that_are_told_are_charged(world: World) -> None:
    dear = world.run(recipe_of(RULE, TAIL, sets=["nodes.backtest.fee=0.01"]))
    cheap = world.run(recipe_of(RULE, TAIL, sets=["nodes.backtest.fee=0.0", "nodes.backtest.spread=0.0"]))
    ends = [float(made["backtest"].table("equity")["equity"].iloc[-1]) for made in (dear, cheap)]
    assert ends[0] < ends[1]


def test_gates_refuse_noise_and_the_report_says_so(world: World) -> None:
    made = world.run(recipe_of(RULE, TAIL, REPORT))
    verdicts = made["gates"].facts["verdicts"]
    assert isinstance(verdicts, list)
    by_name = {one["gate"]: one for one in verdicts if isinstance(one, dict)}
    assert list(by_name) == ["leaks", "gain", "dearer", "trades", "luck", "timing"]
    assert by_name["leaks"]["passed"] is True
    assert made["gates"].facts[PASSED] is False
    told = json.loads(made["report"].texts["report.json"])
    assert [gate["gate"] for gate in told["gates"]] == list(by_name)
    assert told["verdict"] == made["backtest"].facts["verdict"]
    page = made["report"].texts["report.html"]
    assert "refused" in page
    assert told["verdict"] in page.replace("&#39;", "'")


def test_a_model_is_asked_about_its_stretches_too(world: World) -> None:
    made = world.run(recipe_of(MODEL, TAIL))
    verdicts = made["gates"].facts["verdicts"]
    assert isinstance(verdicts, list)
    names = [one["gate"] for one in verdicts if isinstance(one, dict)]
    assert names[:5] == ["leaks", "information", "consistency", "overlap", "stretches"]


def test_gates_without_anything_to_judge_are_an_error(world: World) -> None:
    with pytest.raises(ConfigError, match="found nothing that can be asked"):
        world.run(recipe_of(RULE, '[nodes.gates]\nkind = "gates"\ninputs = ["score"]\n'))
