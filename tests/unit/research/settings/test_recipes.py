from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors import catalogue
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
    recipe = load_recipe(find_recipe(name), factors=FACTORS)
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
