"""What a factor is: a frozen declaration and a pure function over the bars of one symbol."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = ["COLUMNS", "Bars", "Column", "Factor", "Floats"]

Floats = NDArray[np.float64]
Column = Literal["open", "high", "low", "close", "volume"]
COLUMNS: tuple[Column, ...] = ("open", "high", "low", "close", "volume")
Bars = Mapping[str, Floats]
"""The bars of one symbol, oldest first: column name → array (n_bars,)."""


@dataclass(frozen=True, slots=True)
class Factor:
    """One number a bar, computed from this bar and those before it.

    Attributes
    ----------
    name
        Column name, parameters included: ``rsi_14``.
    formula
        What it computes, in words or symbols; with the window it makes the signature.
    inputs
        The columns it reads; no other is handed to `function`.
    lookback_bars
        How many bars it needs, its own included: the first ``lookback_bars - 1`` values are NaN and all
        later ones finite.
    unit
        What one unit of it means.
    function
        ``Bars -> (n_bars,)``; pure.
    """

    name: str
    formula: str
    inputs: tuple[Column, ...]
    lookback_bars: int
    unit: str
    function: Callable[[Bars], Floats]

    @property
    def signature(self) -> str:
        """Hash of everything that gives the number its meaning; a model remembers it."""
        meaning = [self.name, self.formula, list(self.inputs), self.lookback_bars, self.unit]
        return hashlib.sha256(json.dumps(meaning, separators=(",", ":")).encode()).hexdigest()[:16]
