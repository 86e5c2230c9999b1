"""From verdicts to signals: pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.schema import Origin, Signal, Strategy
from quantbus_contracts.symbols import Instrument
from quantbus_research.publish.decisions import Verdict
from quantbus_research.settings import Recipe

__all__ = ["Provenance", "declaration_of", "to_signals"]


@dataclass(frozen=True, slots=True)
class Provenance:
    """Which model, data and code said it."""

    model_id: str | None
    """None where no model speaks but a rule."""
    model_hash: str | None
    snapshot_id: str
    code_version: str


def to_signals(
    verdicts: Sequence[Verdict],
    recipe: Recipe,
    *,
    strategy_id: str,
    bar: datetime,
    origin: Origin,
    provenance: Provenance,
    now: datetime,
) -> list[Signal]:
    """Turn the verdicts that say something into signals of the bar that opened at ``bar``.

    An entry ends ``publish.valid_bars`` bars after the bar's close; an exit has no end.
    """
    market = recipe.market
    instruments: Mapping[str, Instrument] = {item.pair: item for item in market.instruments}
    entry_end = market.bars.close_of(bar) + recipe.publish.valid_bars * market.bars.delta
    return [
        Signal(
            strategy_id=strategy_id,
            symbol=instruments[verdict.view.pair].symbol,
            pair=verdict.view.pair,
            timeframe=market.timeframe,
            ts=bar,
            action=verdict.action,
            weight=verdict.weight,
            score=verdict.view.score,
            valid_until=None if verdict.leaves else entry_end,
            note=verdict.why,
            source="quantbus-research",
            ref_price=verdict.view.close,
            computed_at=now,
            model_id=provenance.model_id,
            model_hash=provenance.model_hash,
            snapshot_id=provenance.snapshot_id,
            code_version=provenance.code_version,
            config_hash=recipe.config_hash,
            degraded=verdict.view.degraded,
            origin=origin,
        )
        for verdict in verdicts
        if verdict.speaks
    ]


def declaration_of(recipe: Recipe, strategy_id: str, *, live: bool = True) -> Strategy:
    """Return what the recipe promises: a word (or an evaluation) at every bar, within half a bar.

    What is said about the past alone promises that for no bar to come. Under another id than the recipe's own it is
    its shadow, and says so.
    """
    market = recipe.market
    note = " ".join(recipe.description.split())
    if strategy_id != recipe.strategy_id:
        note = f"In the shadow of {recipe.strategy_id}, to be compared and not to be followed. {note}"
    return Strategy(
        strategy_id=strategy_id,
        venue=market.venue,
        market_type=market.instruments[0].market_type,
        timeframe=market.timeframe,
        pairs=market.pairs,
        cadence_bars=1 if live else None,
        note=note[:1_000],
    )
