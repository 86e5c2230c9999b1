from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors import Vocabulary, catalogue, factor_sets
from quantbus_research.settings import RecipeSource, find_recipe, load_recipe, shipped_recipes

FACTORS = frozenset(catalogue())
DEMO = shipped_recipes()["demo"].text


def faults(text: str, overrides: tuple[str, ...] = ()) -> str:
    with pytest.raises(ConfigError) as caught:
        load_recipe(RecipeSource("mine.toml", text), factors=FACTORS, overrides=overrides)
    return str(caught.value)


def line_of(text: str, part: str) -> int:
    return next(number for number, line in enumerate(text.splitlines(), start=1) if part in line)


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_a_shipped_recipe_is_valid(name: str) -> None:
    recipe = load_recipe(find_recipe(name), factors=Vocabulary(), sets=factor_sets())
    assert recipe.strategy_id == name


def test_the_demo_says_that_it_claims_no_profit() -> None:
    recipe = load_recipe(find_recipe("demo"), factors=FACTORS)
    assert "claims no profit" in recipe.description
    assert "whatever the model says" in recipe.description


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("hold_bars =", "hold_bar =", "[nodes.policy] has no key 'hold_bar'; did you mean 'hold_bars'?"),
        (
            "horizon_bars =",
            "horzon_bars =",
            "[nodes.rises] has no key 'horzon_bars'; did you mean 'horizon_bars'?",
        ),
        ("[market]", "[markt]", "the top level has no key 'markt'; did you mean 'market'?"),
        ('"rsi_14"', '"rsi_15"', "unknown factor 'rsi_15'; did you mean 'rsi_14'?"),
        ("seed = 7", 'seed = "seven"', "nodes.model.seed: Input should be a valid integer"),
        ("exit = 0.1", "exit = 0.9", "nodes.policy.exit: expected at most enter (0.5), found 0.9"),
        ('"ETH/USDT"', '"ETHUSDT"', "market.pairs: expected BASE/QUOTE"),
        ('timeframe = "1m"', 'timeframe = "7m"', "market.timeframe: expected one of 1m"),
        ("min_train_bars = 240", "min_train_bars = 2400", "expected at most train_bars (1000), found 2400"),
        ("calibration_bars = 60", "hold_bars = 3", "Cannot overwrite a value"),
    ],
)
def test_a_fault_is_told_with_its_line_and_the_way_out(old: str, new: str, told: str) -> None:
    text = DEMO.replace(old, new, 1)
    message = faults(text)
    assert told in message
    if "is not TOML" not in message:
        assert f"line {line_of(text, new)}: " in message


def test_a_missing_key_is_told_with_the_line_of_its_table() -> None:
    text = DEMO.replace("horizon_bars = 2\n", "")
    assert f"line {line_of(text, '[nodes.rises]')}: the key 'horizon_bars' is missing" in faults(text)


def test_every_fault_is_told_at_once() -> None:
    text = DEMO.replace("hold_bars", "hold_bar").replace('"rsi_14"', '"rsi_15"')
    assert "has 2 faults; nothing was done" in faults(text)


def test_a_text_that_is_not_toml_is_told_with_its_line() -> None:
    assert "mine.toml is not TOML" in faults("[market\nvenue = 1")
    assert "line 1" in faults("[market\nvenue = 1")


def test_a_fault_of_an_override_names_the_override() -> None:
    assert "--set nodes.policy.hold_bar: [nodes.policy] has no key 'hold_bar'" in faults(
        DEMO, ("nodes.policy.hold_bar=3",)
    )
    assert "--set nodes.model.seed: nodes.model.seed: Input should be" in faults(
        DEMO, ("nodes.model.seed=-1",)
    )
    assert "expected --set key.path=value, found 'nonsense'" in faults(DEMO, ("nonsense",))
    assert "is a value, not a table" in faults(DEMO, ("strategy_id.x=1",))


def test_an_override_wins_over_the_file() -> None:
    source = find_recipe("demo")
    recipe = load_recipe(
        source,
        factors=FACTORS,
        overrides=["nodes.policy.hold_bars=5", "strategy_id=other", 'market.pairs=["SOL/USDT"]'],
    )
    assert recipe.policy.hold_bars == 5
    assert recipe.strategy_id == "other"
    assert recipe.market.pairs == ("SOL/USDT",)


def test_the_training_hash_ignores_what_does_not_make_the_model() -> None:
    source = find_recipe("demo")
    plain = load_recipe(source, factors=FACTORS)
    patient = load_recipe(source, factors=FACTORS, overrides=["nodes.policy.hold_bars=9"])
    reseeded = load_recipe(source, factors=FACTORS, overrides=["nodes.model.seed=8"])
    assert plain.training_hash == patient.training_hash != reseeded.training_hash
    assert plain.config_hash != patient.config_hash


def test_a_recipe_is_found_by_path_or_by_name(tmp_path: Path) -> None:
    mine = tmp_path / "mine.toml"
    mine.write_text(DEMO, encoding="utf-8")
    assert find_recipe(str(mine)).text == DEMO
    assert find_recipe("demo").text == DEMO
    with pytest.raises(ConfigError, match="did you mean 'demo'"):
        find_recipe("demoo")
    with pytest.raises(ConfigError, match=r"cannot read the recipe .*No such file"):
        find_recipe(str(tmp_path / "absent.toml"))
    (tmp_path / "latin.toml").write_bytes(b"description = '\xe9'")
    with pytest.raises(ConfigError, match="UTF-8"):
        find_recipe(str(tmp_path / "latin.toml"))


def test_waiting_for_a_bar_never_takes_half_of_it() -> None:
    source = find_recipe("demo")
    assert load_recipe(source, factors=FACTORS).max_wait.total_seconds() == 24
    impatient = load_recipe(source, factors=FACTORS, overrides=["nodes.publish.max_wait_seconds=3"])
    assert impatient.max_wait.total_seconds() == 3
    hourly = load_recipe(find_recipe("direction_1h"), factors=FACTORS)
    assert hourly.max_wait.total_seconds() == 60
    endless = load_recipe(source, factors=FACTORS, overrides=["nodes.publish.max_wait_seconds=9000"])
    assert endless.max_wait.total_seconds() == 24


def test_a_set_of_factors_stands_for_what_is_in_it() -> None:
    text = DEMO.replace('"log_return_5",', '"cta_core",', 1)
    recipe = load_recipe(RecipeSource("mine.toml", text), factors=FACTORS, sets=factor_sets())
    assert recipe.factors.names[0] == "log_return_1"
    assert set(factor_sets()["cta_core"]) < set(recipe.factors.names)
    assert len(set(recipe.factors.names)) == len(recipe.factors.names)


GRAPH = """
description = "A graph."
strategy_id = "graph"
[market]
venue = "BINANCE"
pairs = ["BTC/USDT"]
timeframe = "1h"
[nodes.bars]
kind = "data"
train_bars = 100
min_train_bars = 10
[nodes.seen]
kind = "factors"
inputs = ["bars"]
names = ["rsi_14"]
[nodes.rises]
kind = "label"
inputs = ["bars"]
horizon_bars = 2
[nodes.model]
kind = "model"
inputs = [
    "seen",
    "rises",
]
retrain_bars = 24
[nodes.rule]
kind = "rule"
inputs = ["model"]
thresholds = "absolute"
enter = 0.1
exit = 0.0
[nodes.publish]
kind = "publish"
inputs = ["rule"]
"""


@pytest.mark.parametrize(
    ("old", "new", "place", "told"),
    [
        (
            '"seen",',
            '"sen",',
            '"sen",',
            "nodes.model.inputs: no node is called 'sen'; did you mean 'seen'?",
        ),
        ('"seen",', '"zzz",', '"zzz",', "there are bars, seen, rises, model, rule, publish"),
        ('"seen",', '"rises",', None, "expected each input once, found 'rises' twice"),
        (
            'inputs = ["model"]',
            'inputs = ["seen"]',
            'inputs = ["seen"]',
            "'rule' takes scores; 'seen' makes factors; 'model' makes scores",
        ),
        (
            'inputs = ["model"]',
            'inputs = ["model", "bars"]',
            'inputs = ["model", "bars"]',
            "'rule' takes scores; 'bars' makes bars",
        ),
        (
            '    "rises",\n',
            "",
            "inputs = [\n",
            "needs an input of type label, found 'seen' (factors); 'rises' makes label",
        ),
        (
            'inputs = ["rule"]',
            "",
            "[nodes.publish]",
            "needs an input of type targets, found none; 'rule' makes targets",
        ),
        (
            'kind = "rule"',
            'kind = "rul"',
            'kind = "rul"',
            "there is no kind of node 'rul'; did you mean 'rule'?",
        ),
        (
            'kind = "rule"\n',
            "",
            "[nodes.rule]",
            "the key 'kind' is missing; it is one of data, factors, label",
        ),
        (
            "[nodes.rule]",
            "[nodes.4rule]",
            "[nodes.4rule]",
            "expected a name of letters, digits, '_' and '-', a letter first",
        ),
    ],
)
def test_a_fault_of_the_graph_is_told_with_its_line(old: str, new: str, place: str | None, told: str) -> None:
    text = GRAPH.replace(old, new, 1)
    message = faults(text)
    assert told in message
    if place is not None:
        number = text[: text.index(place)].count("\n") + 1
        assert f"line {number}: " in message


def test_nodes_that_wait_for_each_other_are_told_once() -> None:
    text = (
        GRAPH.replace('inputs = ["bars"]\nnames', 'inputs = ["scored"]\nnames')
        + '[nodes.scored]\nkind = "factors"\ninputs = ["seen"]\nnames = ["rsi_7"]\n'
    )
    message = faults(text)
    assert message.count("'seen' waits for 'scored' waits for 'seen': no node can wait for itself") == 1
    assert "line 14: nodes.seen.inputs" in message
    alone = faults(GRAPH.replace('inputs = ["bars"]\nnames', 'inputs = ["seen"]\nnames'))
    assert "'seen' waits for 'seen': no node can wait for itself" in alone


def test_of_some_kinds_there_may_be_only_one() -> None:
    text = GRAPH + '[nodes.again]\nkind = "publish"\ninputs = ["rule"]\n'
    line = len(text.splitlines()) - 1
    assert (
        f"line {line}: nodes.again.kind: expected one node of kind 'publish', found 'publish' and 'again'"
        in faults(text)
    )


def test_every_fault_of_a_graph_is_told_at_once() -> None:
    text = GRAPH.replace('"seen",', '"sen",').replace('inputs = ["rule"]', 'inputs = ["rul"]')
    assert "has 2 faults; nothing was done" in faults(text)


def test_an_override_of_a_node_that_is_not_there_is_told_as_one() -> None:
    message = faults(GRAPH, ("nodes.modle.rounds=5",))
    assert "--set nodes.modle.rounds: " in message
    assert "no node is called 'modle'; did you mean 'model'?" in message
    assert "--set nodes.model.inputs" in faults(GRAPH, ('nodes.model.inputs=["sen", "rises"]',))


def test_a_recipe_of_the_former_form_is_told_how_it_is_written_now() -> None:
    message = faults(GRAPH.replace("[nodes.rule]", "[policy]"))
    assert "write [nodes.policy] with kind = 'rule'" in message


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nodes = 1",
        "nodes = []",
        "[[nodes.bars]]\nkind = 'data'",
        "[nodes]\nbars = 3",
        "[nodes.bars]\nkind = 7",
        "[nodes.bars]\nkind = ['data']",
        "[nodes.bars]\nkind = 'data'\ninputs = 'x'",
        "[nodes.bars]\nkind = 'data'\ninputs = [1, {a = 2}]",
        "market = 'x'\n[nodes.'a b']\nkind = 'data'",
        "\x00",
        "a = 1\na = 2",
        "strategy_id = '../../etc'",
        "[nodes.x.y.z]\nkind = 'data'",
        "description = 1979-05-27\n[nodes.data]\nkind = 'factors'\nnames = [[[]]]",
    ],
)
def test_whatever_a_file_holds_it_is_refused_in_words(text: str) -> None:
    assert "mine.toml" in faults(text)
    if text:
        assert "mine.toml" in faults(GRAPH + "\n" + text)


def test_what_leads_to_what_is_published_is_what_a_worker_reads() -> None:
    beside = '[nodes.other]\nkind = "factors"\ninputs = ["bars"]\nnames = ["rsi_7"]\n'
    recipe = load_recipe(RecipeSource("mine.toml", GRAPH + beside), factors=FACTORS)
    assert recipe.factors.names == ("rsi_14",)
    both = load_recipe(
        RecipeSource("mine.toml", GRAPH + beside),
        factors=FACTORS,
        overrides=['nodes.model.inputs=["seen", "other", "rises"]'],
    )
    assert both.factors.names == ("rsi_14", "rsi_7")
    assert both.training_hash != recipe.training_hash
    assert set(recipe.upstream("model").nodes) == {"bars", "seen", "rises", "model"}


@pytest.mark.parametrize("name", [".", "..", "...", ""])
def test_a_name_that_would_lead_out_of_its_folder_is_refused(name: str) -> None:
    assert "strategy_id" in faults(DEMO, (f'strategy_id="{name}"',))
