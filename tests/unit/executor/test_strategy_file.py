"""What must be true of the one file that Freqtrade loads; read, not imported, since that takes seconds."""

import ast
from pathlib import Path

import pytest

FILE = Path(__file__).resolve().parents[3] / "executor/user_data/strategies/ExternalSignalStrategy.py"
TREE = ast.parse(FILE.read_text(encoding="utf-8"))
STRATEGY = next(
    node for node in TREE.body if isinstance(node, ast.ClassDef) and node.name == "ExternalSignalStrategy"
)
CALLBACKS = [node for node in STRATEGY.body if isinstance(node, ast.FunctionDef)]


def attribute(name: str) -> object:
    for node in STRATEGY.body:
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if (
            isinstance(node, ast.Assign | ast.AnnAssign)
            and isinstance(target, ast.Name)
            and target.id == name
        ):
            assert node.value is not None
            return ast.literal_eval(node.value)
    raise AssertionError(f"expected {name} in the class, found none")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("process_only_new_candles", False),  # a late signal is seen within a loop, not a candle later
        ("use_exit_signal", True),
        ("exit_profit_only", False),
        ("startup_candle_count", 0),  # nothing is computed from candles
        ("minimal_roi", {}),
        ("can_short", False),
        ("position_adjustment_enable", False),
        ("use_custom_stoploss", True),
    ],
)
def test_what_decides_whether_signals_rule_is_set_in_the_class(name: str, value: object) -> None:
    assert attribute(name) == value


def test_there_is_a_stop_of_last_resort() -> None:
    stop = attribute("stoploss")
    assert isinstance(stop, float)
    assert -0.5 < stop < 0


@pytest.mark.parametrize("callback", CALLBACKS, ids=lambda node: node.name)
def test_callbacks_hold_no_rule_of_their_own(callback: ast.FunctionDef) -> None:
    body = callback.body[1:]  # after the docstring
    assert len(body) <= 3
    assert not any(isinstance(node, ast.If | ast.For | ast.Try) for node in ast.walk(callback))


@pytest.mark.parametrize("name", ["confirm_trade_entry", "custom_stake_amount"])
def test_callbacks_that_would_open_a_trade_by_failing_are_guarded(name: str) -> None:
    (callback,) = [node for node in CALLBACKS if node.name == name]
    (guard,) = callback.decorator_list
    assert ast.unparse(guard) in ("fails_to(False)", "fails_to(0.0)")


def test_freqtrade_sees_that_the_stop_is_to_be_set_right_after_a_fill() -> None:
    (callback,) = [node for node in CALLBACKS if node.name == "custom_stoploss"]
    assert "after_fill" in [argument.arg for argument in callback.args.args]
    assert callback.decorator_list == [], "it looks at the arguments, and a decorator hides them"


def test_the_file_can_be_loaded_the_way_freqtrade_loads_it() -> None:
    modules = {node.module for node in TREE.body if isinstance(node, ast.ImportFrom)}
    assert "__future__" not in modules  # with a dataclass, Freqtrade would not find the class
    assert {module.split(".")[0] for module in modules if module} <= {
        *("collections", "datetime", "typing"),
        *("freqtrade", "pandas", "quantbus_executor"),
    }
