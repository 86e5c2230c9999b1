"""Alpha158 against Qlib's own operators."""

import warnings
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantbus_research.factors import compute, factor_set, select
from tests.unit.research.panels import make_series, panel_of

BARS = 900


def qlib_values(series: pd.DataFrame) -> pd.DataFrame:
    """Return Qlib's Alpha158 in double precision, its operators reading the series from memory."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what Qlib's dependencies say of their own age
        import qlib.data.data as qlib_data
        from qlib.config import C
        from qlib.contrib.data.loader import Alpha158DL
        from qlib.data import ops
        from qlib.data.base import Feature
        from qlib.data.cache import H

        columns = {f"${name}": series[name].to_numpy() for name in series}
        columns["$vwap"] = (columns["$high"] + columns["$low"] + columns["$close"]) / 3

        class Memory:
            def feature(self, _instrument: str, field: str, *_others: object) -> pd.Series:
                return pd.Series(columns[field])

        ops.register_all_ops(C)
        qlib_data.FeatureD.register(Memory())
        words: dict[str, Any] = {"Operators": ops.Operators, "Feature": Feature}
        found = {}
        for field, name in zip(*Alpha158DL.get_feature_config(), strict=True):
            H["f"].clear()
            expression = eval(qlib_data.parse_field(field), words)  # noqa: S307 - Qlib reads its own fields so
            found[name] = expression.load("one", 0, len(series) - 1, "1min").to_numpy()
    return pd.DataFrame(found, index=series.index)


@pytest.mark.proof
def test_alpha158_is_qlibs_wherever_the_window_is_full() -> None:
    series = make_series(BARS, seed=11)
    series.loc[series.index[::90], "volume"] = 0.0
    silent = series["volume"] == 0.0
    theirs = qlib_values(series)
    ours = compute(panel_of(BTC=series), factor_set("alpha158")).droplevel(0)
    assert list(ours.columns) == list(theirs.columns)
    for factor in select(factor_set("alpha158")):
        warm = np.arange(BARS) >= factor.lookback_bars - 1
        expected = theirs[factor.name].to_numpy()
        told = warm & np.isfinite(expected)
        if factor.name.startswith("CORD"):  # Qlib leaves out bars after one without volume, we do not
            told &= silent.rolling(factor.lookback_bars, min_periods=1).sum().to_numpy() == 0
        assert told.sum() > 0.5 * warm.sum() or factor.lookback_bars > 30
        np.testing.assert_allclose(ours[factor.name].to_numpy()[told], expected[told], rtol=2e-5, atol=1e-7)
