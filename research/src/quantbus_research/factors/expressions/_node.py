"""What a factor is written in: expressions over columns, which know their own text, inputs and look-back.

The text of an expression is made from the same tree that is computed, and so is its look-back: neither can say
anything else than what is done. Equal expressions are one object, so what factors have in common is computed once.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Literal

from quantbus_research.factors.expressions._windows import Floats

__all__ = ["Kernel", "Node", "Number", "Operator", "Scope", "as_node", "column", "constant", "make"]

Number = int | float
Kernel = Callable[..., Floats]
Scope = Literal["input", "number", "bar", "window", "across"]
"""What an operator looks at: one bar of one symbol, a window of bars of one symbol, or all symbols at one bar."""


@dataclass(frozen=True, eq=False)
class Operator:
    """A way to make numbers out of numbers.

    Attributes
    ----------
    name
        As it stands in formulas.
    kernel
        ``(*tails, *parameters) -> tail`` for "bar" and "window" (a tail as in `_windows`); ``(grid, *parameters) ->
        grid`` (n_symbols, n_times) for "across", NaN where a symbol has no value.
    scope
        What it looks at.
    reach
        How many bars before the evaluated one it needs, from its parameters.
    symbol
        The sign between its two arguments, if it is written so.
    """

    name: str
    kernel: Kernel
    scope: Scope = "bar"
    reach: Callable[..., int] = lambda *parameters: 0
    symbol: str | None = None


@dataclass(frozen=True, eq=False)
class Node:
    """An operator with its arguments and parameters."""

    operator: Operator
    arguments: tuple[Node, ...] = ()
    parameters: tuple[Number | str, ...] = ()

    @cached_property
    def lookback_bars(self) -> int:
        """How many bars one value needs, its own included."""
        longest = max((argument.lookback_bars for argument in self.arguments), default=1)
        return longest + self.operator.reach(*self.parameters)

    @cached_property
    def inputs(self) -> tuple[str, ...]:
        """The columns it is computed from, sorted."""
        if self.operator.scope == "input":
            return (str(self.parameters[0]),)
        return tuple(sorted({name for argument in self.arguments for name in argument.inputs}))

    @cached_property
    def formula(self) -> str:
        """What is computed, in full."""
        if self.operator.scope in ("input", "number"):
            return str(self.parameters[0])
        said = [argument.formula for argument in self.arguments]
        if self.operator.symbol:
            return f"({f' {self.operator.symbol} '.join(said)})"
        said += [f"{value:g}" if isinstance(value, float) else str(value) for value in self.parameters]
        return f"{self.operator.name}({', '.join(said)})"

    @cached_property
    def is_across(self) -> bool:
        """Whether other symbols have a part in it."""
        return self.operator.scope == "across" or any(argument.is_across for argument in self.arguments)

    def __add__(self, other: Node | Number) -> Node:
        return make(_ARITHMETIC["+"], self, as_node(other))

    def __radd__(self, other: Number) -> Node:
        return make(_ARITHMETIC["+"], as_node(other), self)

    def __sub__(self, other: Node | Number) -> Node:
        return make(_ARITHMETIC["-"], self, as_node(other))

    def __rsub__(self, other: Number) -> Node:
        return make(_ARITHMETIC["-"], as_node(other), self)

    def __mul__(self, other: Node | Number) -> Node:
        return make(_ARITHMETIC["*"], self, as_node(other))

    def __rmul__(self, other: Number) -> Node:
        return make(_ARITHMETIC["*"], as_node(other), self)

    def __truediv__(self, other: Node | Number) -> Node:
        return make(_ARITHMETIC["/"], self, as_node(other))

    def __rtruediv__(self, other: Number) -> Node:
        return make(_ARITHMETIC["/"], as_node(other), self)

    def __neg__(self) -> Node:
        return make(_ARITHMETIC["-"], as_node(0.0), self)

    def __gt__(self, other: Node | Number) -> Node:
        return make(_ARITHMETIC[">"], self, as_node(other))

    def __lt__(self, other: Node | Number) -> Node:
        return make(_ARITHMETIC["<"], self, as_node(other))

    def __repr__(self) -> str:
        return self.formula


@cache
def _interned(
    operator: Operator,
    arguments: tuple[Node, ...],
    parameters: tuple[Number | str, ...],
    kinds: tuple[type, ...],
) -> Node:
    return Node(operator, arguments, parameters)


def make(operator: Operator, *arguments: Node, parameters: tuple[Number | str, ...] = ()) -> Node:
    """Return the one node of this operator, arguments and parameters."""
    # 1 and 1.0 are equal keys and different formulas.
    return _interned(operator, arguments, parameters, tuple(type(value) for value in parameters))


def column(name: str) -> Node:
    """Return the column of the panel; ``datetime`` is the bar's open time in milliseconds since 1970, UTC."""
    return make(_INPUT, parameters=(name,))


def constant(value: Number) -> Node:
    """Return a number."""
    return make(_NUMBER, parameters=(value,))


def as_node(value: Node | Number) -> Node:
    """Return an expression for a number, and an expression as it is."""
    return value if isinstance(value, Node) else constant(value)


def _given(*_values: object) -> Floats:
    raise NotImplementedError("inputs and numbers are handed to the evaluation")


_INPUT = Operator("input", _given, "input")
_NUMBER = Operator("number", _given, "number")
_ARITHMETIC = {
    "+": Operator("add", lambda left, right: left + right, symbol="+"),
    "-": Operator("subtract", lambda left, right: left - right, symbol="-"),
    "*": Operator("multiply", lambda left, right: left * right, symbol="*"),
    "/": Operator("divide", lambda left, right: left / right, symbol="/"),
    ">": Operator("above", lambda left, right: (left > right).astype(float), symbol=">"),
    "<": Operator("below", lambda left, right: (left < right).astype(float), symbol="<"),
}
