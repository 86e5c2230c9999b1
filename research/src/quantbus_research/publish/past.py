"""From targets, bar by bar, to signals: what would have been said about past bars, and what is to be said now. Pure."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import numpy as np
import pandas as pd

from quantbus_contracts.schema import Origin, Signal
from quantbus_contracts.symbols import Instrument
from quantbus_research.publish.signals import Provenance
from quantbus_research.settings import Recipe

__all__ = ["Said", "Speaks", "leftovers", "sayings", "signals_of_past"]

Speaks = Literal["action", "weight"]


@dataclass(frozen=True, slots=True)
class Said:
    """Who says it, and about which bar it is said live; None about none."""

    strategy_id: str
    provenance: Provenance
    now: datetime
    live_bar: datetime | None


def sayings(targets: pd.DataFrame, speaks: Speaks) -> pd.DataFrame:
    """Return what the targets have to say, as rows of (symbol, datetime): where something changes.

    Parameters
    ----------
    targets
        By (symbol, datetime = bar open time, UTC), columns target, score, close; each symbol begins flat. Targets that
        speak by action are 0 or 1.
    speaks
        ``action``: an entry or an exit where the target changes. ``weight``: the target at every choice at which it is
        not zero or was not before.

    Returns
    -------
    DataFrame
        Columns target, former (the target before), score, close.
    """
    ordered = targets.sort_index()
    former = ordered["target"].groupby(level=0).shift().fillna(0.0)
    told = ordered.assign(former=former)[["target", "former", "score", "close"]]
    changed = told["target"] != told["former"]
    if speaks == "weight":
        changed |= told["target"] != 0.0
    return told[changed]


def leftovers(targets: pd.DataFrame, held: Collection[str], bar: datetime) -> pd.DataFrame:
    """Return rows, as `sayings` does, that end at ``bar`` what is held by the bus's word and not wanted any more.

    So an exit that fell into a downtime is said as soon as somebody speaks again. ``held`` are symbols.
    """
    newest = targets.sort_index().groupby(level=0).tail(1)
    wanted = dict(zip(newest.index.get_level_values(0), newest["target"], strict=True))
    ended = sorted(symbol for symbol in held if wanted.get(symbol) == 0.0)
    moments = pd.DatetimeIndex([pd.Timestamp(bar)] * len(ended), tz="UTC").as_unit("ms")
    index = pd.MultiIndex.from_arrays([ended, moments], names=["symbol", "datetime"])
    nothing = np.full(len(ended), np.nan)
    columns = {"target": np.zeros(len(ended)), "former": nothing, "score": nothing, "close": nothing}
    return pd.DataFrame(columns, index=index)


def signals_of_past(told: pd.DataFrame, speaks: Speaks, recipe: Recipe, said: Said) -> list[Signal]:
    """Return the rows as signals: those about ``said.live_bar`` live, all others ``backfill``, which never trades."""
    instruments = {item.symbol: item for item in recipe.market.instruments}
    return [
        _signal(instruments[str(symbol)], opened.to_pydatetime(warn=False), dict(row), speaks, recipe, said)
        for (symbol, opened), row in zip(told.index, told.to_dict("records"), strict=True)
    ]


def _signal(
    instrument: Instrument,
    bar: datetime,
    row: Mapping[Hashable, Any],
    speaks: Speaks,
    recipe: Recipe,
    said: Said,
) -> Signal:
    market, target = recipe.market, float(row["target"])
    origin: Origin = "live" if bar == said.live_bar else "backfill"
    entry_end = market.bars.close_of(bar) + recipe.publish.valid_bars * market.bars.delta
    action: Literal["enter_long", "exit_long"] = "enter_long" if target > 0 else "exit_long"
    return Signal(
        strategy_id=said.strategy_id,
        symbol=instrument.symbol,
        pair=instrument.pair,
        timeframe=market.timeframe,
        ts=bar,
        action=action if speaks == "action" else None,
        weight=target if speaks == "weight" else None,
        score=_known(row["score"]),
        valid_until=entry_end if target else None,
        note=_note(target, float(row["former"])),
        source="quantbus-research",
        ref_price=_known(row["close"]),
        computed_at=said.now,
        model_id=said.provenance.model_id,
        model_hash=said.provenance.model_hash,
        snapshot_id=said.provenance.snapshot_id,
        code_version=said.provenance.code_version,
        config_hash=recipe.config_hash,
        origin=origin,
    )


def _note(target: float, former: float) -> str:
    if former != former:
        return "not wanted any more; when that began nobody spoke"
    return f"target {former:g} to {target:g}" if target != former else f"target stays {target:g}"


def _known(value: float) -> float | None:
    return None if value != value else float(value)
