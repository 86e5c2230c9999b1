"""Leaks: does it know anything that was not known."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import refuse_overlap
from quantbus_research.factors import compute, lookback_bars
from quantbus_research.gates._base import Figure, Gate, Trial, Verdict

__all__ = ["LEAKS", "factor_leaks", "judge_factors", "leaks_of"]

_PRICES = ["open", "high", "low", "close", "volume"]
_EXTRA_BARS = 200
_AT_MOST_TOLD = 5


def leaks_of(trial: Trial) -> list[str]:
    """Return each leak found, in words: in factors, in labels, in the split."""
    recipe = trial.recipe
    return [*factor_leaks(trial.panel, recipe.factors.names, recipe.market.bars), *_leaks_of_rows(trial)]


def judge_factors(bars: pd.DataFrame, names: Sequence[str], timeframe: Timeframe) -> Verdict:
    """Ask factors alone, where nothing is learnt from them."""
    return _verdict(factor_leaks(bars, names, timeframe), len(names))


def factor_leaks(bars: pd.DataFrame, names: Sequence[str], timeframe: Timeframe) -> list[str]:
    """Compute the newest bars' factors as if the last of them had not come yet, or had come otherwise."""
    window = 3 * lookback_bars(names) + _EXTRA_BARS
    times = pd.DatetimeIndex(bars.index.get_level_values(1))
    start = times.max() - window * timeframe.delta
    panel = bars[times > start]
    whole, times = compute(panel, names), pd.DatetimeIndex(panel.index.get_level_values(1))
    moments = times.unique().sort_values()
    leaking: dict[str, str] = {}
    for share in (0.5, 0.8, 0.95):
        cut = moments[int(len(moments) * share)]
        past = np.asarray(times <= cut)
        other = panel.copy()
        columns = [name for name in _PRICES if name in panel.columns]
        other.loc[~past, columns] = other.loc[~past, columns] * 3.0
        for seen, how in (
            (compute(panel[past], names), "are not there"),
            (compute(other, names)[past], "come out differently"),
        ):
            for name in names:
                if not seen[name].equals(whole.loc[past, name]):
                    leaking.setdefault(
                        name, f"{name} changes up to {cut:%Y-%m-%d %H:%M} when later bars {how}"
                    )
    return list(leaking.values())


def _leaks_of_rows(trial: Trial) -> Iterator[str]:
    table, split = trial.table, trial.split
    late = int((table.known_at > pd.Timestamp(trial.as_of)).sum())
    if late:
        yield f"{late} labels were not known yet at {trial.as_of:%Y-%m-%d %H:%M}"
    try:
        refuse_overlap(table.known_at, split.train, split.validation)
    except ConfigError as error:
        yield str(error)


def _judge(trial: Trial) -> tuple[bool, str, Mapping[str, Figure]]:
    verdict = _verdict(leaks_of(trial), len(trial.recipe.factors.names))
    return verdict.passed, verdict.told, verdict.figures


def _verdict(found: Sequence[str], factors: int) -> Verdict:
    more = f" and {len(found) - _AT_MOST_TOLD} more" if len(found) > _AT_MOST_TOLD else ""
    told = "; ".join(found[:_AT_MOST_TOLD]) + more if found else "nothing in it knew what came later"
    return Verdict("leaks", not found, told, {"leaks": len(found), "factors": factors})


LEAKS = Gate("leaks", "Factors, labels and split know nothing before its time.", _judge)
