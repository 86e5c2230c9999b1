"""Operators that look at one bar of one symbol."""

import numpy as np

from quantbus_research.factors.expressions._node import Node, Number, Operator, as_node, make
from quantbus_research.factors.expressions._windows import Floats

__all__ = [
    "absolute",
    "cosine",
    "greater",
    "lesser",
    "log",
    "log1p",
    "phase",
    "ratio",
    "root",
    "sign",
    "sine",
    "square",
    "tanh",
    "within",
]


def log(values: Node) -> Node:
    """Take the natural logarithm."""
    return make(_LOG, values)


def log1p(values: Node) -> Node:
    """Take the natural logarithm of 1 + value."""
    return make(_LOG1P, values)


def absolute(values: Node) -> Node:
    """Drop the sign."""
    return make(_ABS, values)


def sign(values: Node) -> Node:
    """Return -1, 0 or 1."""
    return make(_SIGN, values)


def root(values: Node) -> Node:
    """Take the square root; 0 below 0."""
    return make(_ROOT, values)


def square(values: Node) -> Node:
    """Multiply by itself."""
    return make(_SQUARE, values)


def tanh(values: Node) -> Node:
    """Squeeze into -1 to 1."""
    return make(_TANH, values)


def sine(values: Node) -> Node:
    """Take the sine of a share of a full turn."""
    return make(_SINE, values)


def cosine(values: Node) -> Node:
    """Take the cosine of a share of a full turn."""
    return make(_COSINE, values)


def greater(left: Node, right: Node | Number) -> Node:
    """Take the greater of both."""
    return make(_GREATER, left, as_node(right))


def lesser(left: Node, right: Node | Number) -> Node:
    """Take the lesser of both."""
    return make(_LESSER, left, as_node(right))


def ratio(numerator: Node, denominator: Node, otherwise: Number = 0.0) -> Node:
    """Divide; where the denominator is zero take ``otherwise``, where anything is NaN stay NaN."""
    return make(_RATIO, numerator, denominator, parameters=(otherwise,))


def phase(values: Node, period: int, start: int = 0) -> Node:
    """Return how much of its period a whole number has run through since ``start``, 0 to below 1."""
    return make(_PHASE, values, parameters=(period, start))


def within(values: Node, low: Number, high: Number) -> Node:
    """Return 1 from ``low`` to below ``high``, else 0."""
    return make(_WITHIN, values, parameters=(low, high))


def _ratio(numerator: Floats, denominator: Floats, otherwise: float) -> Floats:
    result = np.full(np.broadcast(numerator, denominator).shape, float(otherwise))
    np.divide(numerator, denominator, out=result, where=denominator != 0)
    missing = np.isnan(numerator)
    return np.where(missing, np.nan, result) if missing.any() else result


def _root(values: Floats) -> Floats:
    return np.asarray(np.sqrt(np.maximum(values, 0.0)))


def _within(values: Floats, low: float, high: float) -> Floats:
    return ((values >= low) & (values < high)).astype(np.float64)


_LOG = Operator("ln", lambda values: np.log(values))
_LOG1P = Operator("ln1p", lambda values: np.log1p(values))
_ABS = Operator("abs", lambda values: np.abs(values))
_SIGN = Operator("sign", lambda values: np.sign(values))
_ROOT = Operator("sqrt", _root)
_SQUARE = Operator("square", lambda values: values * values)
_TANH = Operator("tanh", lambda values: np.tanh(values))
_SINE = Operator("sine_of_turn", lambda values: np.sin(2.0 * np.pi * values))
_COSINE = Operator("cosine_of_turn", lambda values: np.cos(2.0 * np.pi * values))
_GREATER = Operator("max", lambda left, right: np.maximum(left, right))
_LESSER = Operator("min", lambda left, right: np.minimum(left, right))
_RATIO = Operator("ratio", _ratio)
_PHASE = Operator("phase", lambda values, period, start: np.mod(values - start, period) / period)
_WITHIN = Operator("within", _within)
