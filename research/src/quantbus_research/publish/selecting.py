"""From the scores of many pairs to weights: the choice that a selection makes at its turns, for one bar."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import numpy as np
import pandas as pd

from quantbus_contracts.ports import SignalReader
from quantbus_contracts.schema import Origin
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import exchanged
from quantbus_research.publish.decisions import Verdict, View
from quantbus_research.settings.nodes import SelectionSettings

__all__ = ["choose", "chosen_weights", "is_due", "last_turn", "read_weight"]

_WINDOWS_BARS = (200, 5_000, 2_000_000)


def choose(
    views: Sequence[View],
    held: Mapping[str, float],
    settings: SelectionSettings,
    *,
    symbols: Mapping[str, str],
    is_due: bool,
) -> tuple[Verdict, ...]:
    """Return what is to be held of each pair; where no choice is due nothing is said.

    A pair without a score stays as it is, and takes its place among those that are held: what is not known is no
    reason to sell.

    Parameters
    ----------
    held
        The weight that was last said of each pair; without those of which none was, or zero.
    symbols
        By pair; equal scores go by symbol, as in a backtest.
    """
    if not is_due:
        return tuple(Verdict(view, None, f"chosen every {settings.every_bars} bars only") for view in views)
    known = {view.pair: view.score for view in views if view.score is not None}
    scores = {symbols[pair]: score for pair, score in known.items()}
    weights = {symbols[pair]: weight for pair, weight in held.items() if pair in symbols}
    chosen = chosen_weights(scores, weights, settings, pairs=len(views))
    if chosen is None:
        told = f"{len(known)} of {len(views)} pairs have a score, too few to choose; all stays as it is"
        return tuple(Verdict(view, None, told) for view in views)
    wanted = {pair: chosen[symbols[pair]] for pair in known if symbols[pair] in chosen}
    places = {pair: place for place, pair in enumerate(sorted(known, key=lambda pair: -known[pair]), start=1)}
    return tuple(_verdict(view, wanted, held, places) for view in views)


def chosen_weights(
    known: Mapping[str, float], held: Mapping[str, float], settings: SelectionSettings, *, pairs: int
) -> dict[str, float] | None:
    """Return the weights other than zero of the symbols whose score is known; None if there are too few to choose.

    The one rule of a selection, over the past and live: what is held and has no score stays, and its place is taken.

    Parameters
    ----------
    known, held
        Scores, and weights other than zero, by symbol.
    pairs
        How many symbols there are to choose from, with a score or without.
    """
    if settings.short and len(known) < 2 * settings.hold and len(known) < pairs:
        return None
    stuck = [weight for symbol, weight in held.items() if symbol not in known]
    free = settings.hold - max(sum(weight > 0 for weight in stuck), sum(weight < 0 for weight in stuck))
    share = 1.0 / settings.hold
    if free < 1 or not known:
        return {}
    if settings.drop is not None:
        before = [symbol for symbol in held if symbol in known]
        scores = pd.Series(dict(known), dtype=np.float64)
        return dict.fromkeys(exchanged(before, scores, free, settings.drop), share)
    ranked = sorted(known, key=lambda symbol: (-known[symbol], symbol))
    if not settings.short:
        return dict.fromkeys(ranked[:free], share)
    if len(ranked) < 2 * free:
        return {}
    return dict.fromkeys(ranked[:free], 0.5 * share) | dict.fromkeys(ranked[-free:], -0.5 * share)


def read_weight(
    history: SignalReader, strategy_id: str, pair: str, timeframe: Timeframe, bar: datetime, *, origin: Origin
) -> float:
    """Return the weight that was last said of a pair before ``bar``; zero where none was.

    Live weights are followed by live ones only: ``backfill`` rows never trade.
    """
    origins = {"live", origin}
    for bars in _WINDOWS_BARS:
        rows = history.range(strategy_id, timeframe, pair, bar - bars * timeframe.delta, bar)
        for row in reversed(rows):
            if row.signal.origin in origins and row.signal.weight is not None:
                return row.signal.weight
    return 0.0


def is_due(
    history: SignalReader,
    strategy_id: str,
    pairs: Sequence[str],
    timeframe: Timeframe,
    bar: datetime,
    *,
    every: int,
    origin: Origin,
) -> bool:
    """Tell whether a choice is due at ``bar``: at each turn, and later where at the last one nothing was chosen.

    So a turn that fell into a downtime is made up for, by the scores of the bar that is there then.
    """
    turn = last_turn(timeframe, bar, every)
    origins = {"live", origin}
    return not any(
        row.signal.weight and row.signal.origin in origins
        for pair in pairs
        for row in history.range(strategy_id, timeframe, pair, turn, bar)
    )


def last_turn(timeframe: Timeframe, bar: datetime, every: int) -> datetime:
    """Return the newest bar, up to ``bar``, whose number since 1970 is a multiple of ``every``."""
    return bar - int(bar.timestamp()) // timeframe.seconds % every * timeframe.delta


def _verdict(
    view: View, wanted: Mapping[str, float], held: Mapping[str, float], places: Mapping[str, int]
) -> Verdict:
    pair = view.pair
    if pair not in places:
        stays = f", stays at {held[pair]:+.4f}" if pair in held else ""
        return Verdict(view, None, f"{view.degraded or 'no score'}{stays}")
    told = f"place {places[pair]} of {len(places)}"
    if pair in wanted:
        return Verdict(view, None, told, weight=wanted[pair])
    return Verdict(
        view, None, f"{told}, leaves" if pair in held else told, weight=0.0 if pair in held else None
    )
