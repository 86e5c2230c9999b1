"""The kind ``publish``: what the targets say, to the bus; the newest bar live, older ones as backfill."""

from collections.abc import Sequence
from datetime import datetime
from typing import cast

import pandas as pd

from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.schema import PublishReport, PublishRun, Signal
from quantbus_research.publish import (
    Provenance,
    Said,
    Speaks,
    declaration_of,
    leftovers,
    read_position,
    sayings,
    signals_of_past,
)
from quantbus_research.registry import code_version
from quantbus_research.settings.nodes import ArtefactType, PublishSettings
from quantbus_research.workflows.nodes._base import (
    PASSED,
    SNAPSHOT,
    Artefact,
    Context,
    Inputs,
    NodeKind,
    Reach,
)
from quantbus_research.workflows.session import Session

__all__ = ["PUBLISH"]

_AT_ONCE = 5_000
"""Rows in a batch; one is one transaction with its audit row."""


def run(inputs: Inputs, settings: PublishSettings, context: Context) -> Artefact:
    """Publish what changed at the newest closed bar and, where the recipe asks for it, at those before it.

    Only the newest bar that the clock knows to be closed is live, and only where the run is about it. What was said
    live is never said otherwise afterwards. Where the gates refuse nothing goes out, unless the recipe says so.

    Raises
    ------
    BusUnavailable
        If the bus did not answer, or left rows unconfirmed: run again, it is safe.
    """
    verdicts = inputs.maybe(ArtefactType.VERDICTS)
    refused = verdicts is not None and not verdicts.facts[PASSED]
    silent = refused and settings.when_refused == "nothing"
    session, given = context.session(), inputs.one(ArtefactType.TARGETS)
    bar = context.recipe.market.bars.last_closed(context.as_of)
    live_bar = bar if bar == context.recipe.market.bars.last_closed(session.clock.now()) else None
    said = Said(session.strategy_id, _provenance(given), session.clock.now(), live_bar)
    speaks = cast("Speaks", given.facts["speaks"])
    told = _told(given.table("targets"), speaks, settings, session, bar, live_bar)
    signals = _apart_from_live(signals_of_past(told, speaks, context.recipe, said), session, said)
    published: dict[str, int] | None = None
    if not (silent or context.dry):
        published = _publish(signals, given.table("targets"), session, said)
    return Artefact(
        ArtefactType.SIGNALS,
        tables={"signals": _rows(signals)},
        facts={
            "signals": len(signals),
            "live": sum(signal.origin == "live" for signal in signals),
            "bar": bar.isoformat(),
            "refused": refused,
            "published": None if published is None else dict(published),
        },
    )


def _provenance(given: Artefact) -> Provenance:
    facts = given.facts
    model_id, model_hash = facts.get("model_id"), facts.get("model_sha256")
    return Provenance(
        model_id=None if model_id is None else str(model_id),
        model_hash=None if model_hash is None else str(model_hash),
        snapshot_id=str(facts[SNAPSHOT]),
        code_version=code_version(),
    )


def _told(
    targets: pd.DataFrame,
    speaks: Speaks,
    settings: PublishSettings,
    session: Session,
    bar: datetime,
    live_bar: datetime | None,
) -> pd.DataFrame:
    market = session.recipe.market
    told = sayings(targets, speaks)
    opened = told.index.get_level_values(1)
    oldest = pd.Timestamp(bar) - settings.history_bars * market.bars.delta
    told = told[(opened >= oldest) & (opened <= pd.Timestamp(bar))]
    if live_bar is None:
        return told
    held = [
        item.symbol
        for item in market.instruments
        if read_position(
            session.history, session.strategy_id, item.pair, market.bars, live_bar, origin="live"
        ).long_since
    ]
    rest = leftovers(targets, held, live_bar)
    fresh = rest[~rest.index.isin(told.index)]
    return pd.concat([told, fresh]).sort_index() if len(fresh) else told


def _apart_from_live(signals: Sequence[Signal], session: Session, said: Said) -> list[Signal]:
    """Leave out what would turn something said live into something said afterwards."""
    past = [signal for signal in signals if signal.origin != "live"]
    if not past:
        return list(signals)
    timeframe = session.recipe.market.bars
    first, last = min(signal.ts for signal in past), max(signal.ts for signal in past)
    standing = {
        row.signal.key
        for pair in sorted({signal.pair for signal in past})
        for row in session.history.range(said.strategy_id, timeframe, pair, first, last + timeframe.delta)
        if row.signal.origin == "live"
    }
    return [signal for signal in signals if signal.origin == "live" or signal.key not in standing]


def _publish(
    signals: Sequence[Signal], targets: pd.DataFrame, session: Session, said: Said
) -> dict[str, int]:
    """Return how many rows ended in which way."""
    if said.live_bar is not None:
        session.sink.declare(declaration_of(session.recipe, said.strategy_id))
    elif signals:
        session.sink.declare(declaration_of(session.recipe, said.strategy_id, live=False), first_only=True)
    ordered = sorted(signals, key=lambda signal: (signal.ts, signal.pair))
    counts = dict.fromkeys(PublishReport().counts, 0)
    for first in range(0, len(ordered), _AT_ONCE):
        report = session.sink.publish(ordered[first : first + _AT_ONCE])
        counts = {name: counts[name] + count for name, count in report.counts.items()}
    if counts["unknown"]:
        raise BusUnavailable(f"{counts['unknown']} of {len(signals)} signals were not confirmed; run again")
    if said.live_bar is not None:
        session.sink.record_run(_run_of(signals, targets, session, said, said.live_bar))
    return counts


def _run_of(
    signals: Sequence[Signal], targets: pd.DataFrame, session: Session, said: Said, bar: datetime
) -> PublishRun:
    there = targets.index.get_level_values(1) == pd.Timestamp(bar)
    known = targets[there & targets["score"].notna().to_numpy()].index.get_level_values(0)
    own = [signal for signal in signals if signal.ts == bar]
    return PublishRun(
        strategy_id=said.strategy_id,
        timeframe=session.recipe.market.timeframe,
        ts=bar,
        evaluated_at=said.now,
        pairs_evaluated=len({*known, *(signal.symbol for signal in own)}),
        signals=len(own),
    )


def _rows(signals: Sequence[Signal]) -> pd.DataFrame:
    """Return what was said, without when it was computed."""
    names = ("strategy_id", "pair", "timeframe", "ts", "action", "weight", "score", "origin", "note")
    columns = {name: [getattr(signal, name) for signal in signals] for name in names}
    frame = pd.DataFrame(columns, columns=list(names))
    texts = ["strategy_id", "pair", "timeframe", "action", "origin", "note"]
    frame[texts] = frame[texts].astype(object).where(frame[texts].notna(), "")
    frame[["weight", "score"]] = frame[["weight", "score"]].astype("float64")
    return frame.assign(ts=pd.to_datetime(frame["ts"], utc=True))


PUBLISH = NodeKind(PublishSettings, run, reach=Reach.WRITES)
