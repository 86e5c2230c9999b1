"""From scores of many symbols to shares of one capital: the best few, changed as fast as one allows."""

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe

__all__ = ["at_turns", "exchanged", "top_k", "top_k_drop_n"]


def at_turns(scores: pd.Series, timeframe: Timeframe, every: int) -> pd.Series:
    """Return the scores of bars whose number since 1970 is a multiple of ``every``: when a choice is made.

    So the same bars are chosen at whatever history is loaded: 24 hourly bars turn at midnight (UTC), 168 on Thursdays.
    """
    _require_positive(every=every)
    opened = pd.DatetimeIndex(scores.index.get_level_values(1)).as_unit("ms").asi8
    kept: pd.Series = scores[opened // (timeframe.seconds * 1_000) % every == 0]
    return kept


def top_k(scores: pd.Series, k: int, *, every: int = 1, short: bool = False) -> pd.DataFrame:
    """Return targets that hold the ``k`` best-scored symbols in equal parts, chosen anew every so many bars.

    Parameters
    ----------
    scores
        By (symbol, datetime = bar open time, UTC); NaN, or no row: not to be held. Equal scores go by name.
    short
        Also sell the ``k`` worst short, half of the capital on either side; nothing is held while fewer than
        ``2 * k`` symbols have a score.

    Returns
    -------
    DataFrame
        Datetime by symbol, for `simulate` on a shared account; rows between two choices are NaN.
    """
    _require_positive(k=k, every=every)
    table = _table(scores)
    targets = pd.DataFrame(np.nan, index=table.index, columns=table.columns)
    for moment in table.index[::every]:
        ranked = _ranked(table.loc[moment])
        held = dict.fromkeys(ranked[:k], 1.0 / k)
        if short:
            half = 0.5 / k
            held = (
                dict.fromkeys(ranked[:k], half) | dict.fromkeys(ranked[-k:], -half)
                if len(ranked) >= 2 * k
                else {}
            )
        targets.loc[moment] = [held.get(symbol, 0.0) for symbol in table.columns]
    return targets


def top_k_drop_n(scores: pd.Series, k: int, n: int, *, every: int = 1) -> pd.DataFrame:
    """Return targets that hold ``k`` symbols and exchange at most ``n`` of them at a time, worst first.

    As Qlib's TopkDropout chooses: the ``n`` best that are not held stand beside those that are; whatever held symbol
    then is among the last ``n`` makes room. A symbol that has lost its score ranks last. What stays is not resized.
    """
    _require_positive(k=k, n=n, every=every)
    table = _table(scores)
    targets = pd.DataFrame(np.nan, index=table.index, columns=table.columns)
    held: list[str] = []
    for moment in table.index[::every]:
        held = exchanged(held, table.loc[moment], k, n)
        kept = set(held)
        targets.loc[moment] = [1.0 / k if symbol in kept else 0.0 for symbol in table.columns]
    return targets


def exchanged(held: list[str], scores: pd.Series, k: int, n: int) -> list[str]:
    """Return the symbols to hold after those ``held``: one step of `top_k_drop_n`, by the scores of one bar."""
    ranked = _ranked(scores)
    order = {symbol: place for place, symbol in enumerate(ranked)}
    known = sorted(held, key=lambda symbol: (order.get(symbol, len(order)), symbol))
    fresh = [symbol for symbol in ranked if symbol not in held][: n + k - len(held)]
    beside = sorted([*known, *fresh], key=lambda symbol: (order.get(symbol, len(order)), symbol))
    leaving = {symbol for symbol in beside[-n:] if symbol in held}
    bought = fresh[: len(leaving) + k - len(held)]
    return [symbol for symbol in known if symbol not in leaving] + bought


def _ranked(scores: pd.Series) -> list[str]:
    known = scores.dropna().sort_index()
    return [str(symbol) for symbol in known.sort_values(ascending=False, kind="stable").index]


def _table(scores: pd.Series) -> pd.DataFrame:
    table: pd.DataFrame = scores.unstack(level=0).sort_index()
    return table.sort_index(axis=1)


def _require_positive(**numbers: int) -> None:
    for name, number in numbers.items():
        if number < 1:
            raise ConfigError(f"{name}: expected 1 or more, found {number!r}")
