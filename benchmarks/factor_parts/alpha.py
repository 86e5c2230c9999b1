"""Alpha158: ours beside Qlib's own operators, which are handed the same numbers from memory, so without its disk."""

from collections.abc import Callable, Collection
from typing import Any

import numpy as np
import pandas as pd
from bus_parts.ground import Results

from factor_parts.ground import Agreement, Floats, side_by_side
from quantbus_research.factors import compute, factor_set, select

__all__ = ["measure", "qlib_values"]


def qlib_values(bars: pd.DataFrame, names: Collection[str] | None = None) -> dict[str, Floats]:
    """Return Qlib's Alpha158 of one symbol's bars by name (all by default), by Qlib's operators in double precision."""
    import qlib.data.data as qlib_data
    from qlib.config import C
    from qlib.contrib.data.loader import Alpha158DL
    from qlib.data import ops
    from qlib.data.base import Feature
    from qlib.data.cache import H

    columns = {f"${name}": bars[name].to_numpy(np.float64) for name in bars}
    columns["$vwap"] = (columns["$high"] + columns["$low"] + columns["$close"]) / 3

    class Memory:
        def feature(self, _instrument: str, field: str, *_others: object) -> pd.Series:
            return pd.Series(columns[field])

    ops.register_all_ops(C)
    qlib_data.FeatureD.register(Memory())
    values: dict[str, Floats] = {}
    words: dict[str, Any] = {"Operators": ops.Operators, "Feature": Feature}
    for field, name in zip(*Alpha158DL.get_feature_config(), strict=True):
        if names is not None and name not in names:
            continue
        expression = eval(qlib_data.parse_field(field), words)  # noqa: S307 - Qlib reads its own fields so
        H["f"].clear()
        values[name] = expression.load("one", 0, len(bars) - 1, "1min").to_numpy(np.float64)
    return values


def measure(results: Results, panel: pd.DataFrame, *, rounds: int, tick: Callable[[str], None]) -> None:
    """Measure both, and assert that they agree wherever Qlib has a value and a full window."""
    names = factor_set("alpha158")
    kept: dict[str, dict[str, Floats]] = {}

    def ours() -> None:
        found = compute(panel, names)
        kept["ours"] = {name: found[name].to_numpy() for name in names}

    def theirs() -> None:
        kept["theirs"] = qlib_values(panel.droplevel(0))

    side_by_side(
        results,
        {"quantbus, Alpha158": ours, "Qlib, Alpha158": theirs},
        rounds,
        tick,
        ours="quantbus, Alpha158",
    )
    assert set(kept["theirs"]) == set(names)
    tick("comparing with Qlib")
    # Qlib subtracts squares of prices: of a quiet window few digits are left.
    agreement, frame = Agreement("Qlib", tolerance=1e-4), panel.droplevel(0)
    for factor in select(names):
        name, lookback = factor.name, factor.lookback_bars
        found, expected = kept["ours"][name], kept["theirs"][name]
        warm = np.arange(len(frame)) >= lookback - 1
        told = warm & np.isfinite(expected)
        agreement.without += int((warm & ~told).sum())
        assert np.isfinite(found[warm]).all()

        def alone(row: int, name: str = name, lookback: int = lookback) -> float:
            part = frame.iloc[row - lookback + 1 : row + 1]
            if name.startswith(
                "RSQR"
            ):  # is the same for closes less a constant, and then Qlib has all its digits
                part = part.assign(close=part["close"] - part["close"].iloc[0])
            return float(qlib_values(part, [name])[name][-1])

        agreement.compare(name, found, expected, told, alone=alone)
    results.notes.append(str(agreement))
