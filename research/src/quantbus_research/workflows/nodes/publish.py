"""The kind ``publish``: what the targets say, to the bus; the newest bar live, older ones as backfill."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import nan
from typing import Literal, cast

import pandas as pd

from quantbus_contracts.errors import ArtefactError, BusUnavailable
from quantbus_contracts.schema import PublishReport, PublishRun, Signal
from quantbus_research.publish import (
    Position,
    Provenance,
    Said,
    Speaks,
    Verdict,
    View,
    declaration_of,
    is_overdue,
    leftovers,
    read_position,
    sayings,
    signals_of_past,
)
from quantbus_research.registry import code_version
from quantbus_research.settings.nodes import ArtefactType, PolicySettings, PublishSettings
from quantbus_research.workflows.nodes._base import (
    NEWEST,
    PASSED,
    SNAPSHOT,
    Artefact,
    Context,
    Inputs,
    NodeKind,
    Reach,
)
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.timeliness import Judgement, judge, record_run
from quantbus_research.workflows.views import BAR_MISSING

__all__ = ["PUBLISH"]

_AT_ONCE = 5_000
"""Rows in a batch; one is one transaction with its audit row."""


def run(inputs: Inputs, settings: PublishSettings, context: Context) -> Artefact:
    """Publish what changed at the newest closed bar and, where the recipe asks for it, at those before it.

    Only the newest bar that the clock knows to be closed is live, and only where the run is about it; what is late
    then, or lacks bars, is held back or marked as the worker does it. What was said live is never said otherwise
    afterwards. Where the gates refuse nothing goes out, unless the recipe says so.

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
    positions = {} if live_bar is None else _positions(session, live_bar)
    told = _told(given.table("targets"), speaks, settings, session, bar, positions)
    signals = _apart_from_live(signals_of_past(told, speaks, context.recipe, said), session, said)
    now = None
    if live_bar is not None:
        now, signals = _judged(signals, given, session, live_bar, positions)
    published: dict[str, int] | None = None
    if not (silent or context.dry):
        published = _publish(signals, given.table("targets"), session, said, now)
    return Artefact(
        ArtefactType.SIGNALS,
        tables={"signals": _rows(signals)},
        facts={
            "signals": len(signals),
            "live": sum(signal.origin == "live" for signal in signals),
            "bar": bar.isoformat(),
            "held_back": 0 if now is None else now.judgement.held.count,
            "trouble": None if now is None else now.judgement.held.trouble,
            "refused": refused,
            "published": None if published is None else dict(published),
        },
    )


@dataclass(frozen=True, slots=True)
class _Now:
    """What may be said about the live bar."""

    bar: datetime
    judgement: Judgement
    evaluated_at: datetime

    @property
    def speaks(self) -> bool:
        """Whether the bar is still the newest one."""
        return self.judgement.timing != "passed"


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
    positions: Mapping[str, Position],
) -> pd.DataFrame:
    market = session.recipe.market
    told = sayings(targets, speaks)
    opened = told.index.get_level_values(1)
    oldest = pd.Timestamp(bar) - settings.history_bars * market.bars.delta
    told = told[(opened >= oldest) & (opened <= pd.Timestamp(bar))]
    held = [
        item.symbol
        for item in market.instruments
        if item.pair in positions and positions[item.pair].long_since
    ]
    rest = leftovers(targets, held, bar)
    fresh = rest[~rest.index.isin(told.index)]
    return pd.concat([told, fresh]).sort_index() if len(fresh) else told


def _positions(session: Session, bar: datetime) -> dict[str, Position]:
    """Return where each pair stands by what was said live."""
    market = session.recipe.market
    return {
        pair: read_position(session.history, session.strategy_id, pair, market.bars, bar, origin="live")
        for pair in market.pairs
    }


def _judged(
    signals: Sequence[Signal],
    given: Artefact,
    session: Session,
    bar: datetime,
    positions: Mapping[str, Position],
) -> tuple[_Now, list[Signal]]:
    """Hold back, of what is live, what the recipe does not want to be said now; mark what is said in spite of it."""
    own = {signal.pair: signal for signal in signals if signal.origin == "live"}
    missing = _missing(given, session, bar)
    verdicts = [
        _verdict(pair, own.get(pair), session, bar, positions[pair], is_missing=pair in missing)
        for pair in session.recipe.market.pairs
    ]
    evaluated_at = session.clock.now()
    now = _Now(bar, judge(session, verdicts, bar, evaluated_at), evaluated_at)
    marks = {
        verdict.view.pair: {"degraded": verdict.view.degraded, "computed_at": evaluated_at}
        for verdict in now.judgement.held.verdicts
        if now.speaks and verdict.speaks and verdict.view.pair not in now.judgement.stands
    }
    return now, [
        signal if signal.origin != "live" else signal.model_copy(update=marks[signal.pair])
        for signal in signals
        if signal.origin != "live" or signal.pair in marks
    ]


def _verdict(
    pair: str, signal: Signal | None, session: Session, bar: datetime, position: Position, *, is_missing: bool
) -> Verdict:
    """Return what is said about a pair as something that can be held back."""
    # The rules ask whether there is a bar, not what its close is.
    score = None if signal is None else signal.score
    view = View(pair, score, close=None if is_missing else nan, degraded=BAR_MISSING if is_missing else None)
    if signal is None:
        return Verdict(view, None, "nothing changes")
    policies = session.recipe.leading(PolicySettings).values()
    timeframe = session.recipe.market.bars
    return Verdict(
        view,
        cast("Literal['enter_long', 'exit_long'] | None", signal.action),
        signal.note or "",
        weight=signal.weight,
        by_time=any(is_overdue(position, policy, timeframe=timeframe, bar=bar) for policy in policies),
    )


def _missing(given: Artefact, session: Session, bar: datetime) -> set[str]:
    """Return the pairs whose bar the targets were computed without."""
    newest = given.facts.get(NEWEST)
    if not isinstance(newest, dict):
        raise ArtefactError(
            f"expected the fact {NEWEST!r} of targets, handed on from their bars, found {newest!r}"
        )
    there = {symbol for symbol, moment in newest.items() if datetime.fromisoformat(str(moment)) >= bar}
    return {item.pair for item in session.recipe.market.instruments if item.symbol not in there}


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
    signals: Sequence[Signal], targets: pd.DataFrame, session: Session, said: Said, now: _Now | None
) -> dict[str, int]:
    """Return how many rows ended in which way."""
    if now is not None and now.speaks:
        session.sink.declare(declaration_of(session.recipe, said.strategy_id))
    elif signals:
        session.sink.declare(declaration_of(session.recipe, said.strategy_id, live=False), first_only=True)
    # What is live first, for it was judged by the time it is now.
    ordered = sorted(signals, key=lambda signal: (signal.origin != "live", signal.ts, signal.pair))
    counts = dict.fromkeys(PublishReport().counts, 0)
    for first in range(0, len(ordered), _AT_ONCE):
        report = session.sink.publish(ordered[first : first + _AT_ONCE])
        counts = {name: counts[name] + count for name, count in report.counts.items()}
    if counts["unknown"]:
        raise BusUnavailable(f"{counts['unknown']} of {len(signals)} signals were not confirmed; run again")
    if now is not None and now.speaks:
        record_run(session, _run_of(signals, targets, session, said, now), now.judgement.timing)
    return counts


def _run_of(
    signals: Sequence[Signal], targets: pd.DataFrame, session: Session, said: Said, now: _Now
) -> PublishRun:
    there = targets.index.get_level_values(1) == pd.Timestamp(now.bar)
    known = targets[there & targets["score"].notna().to_numpy()].index.get_level_values(0)
    own = [signal for signal in signals if signal.ts == now.bar]
    return PublishRun(
        strategy_id=said.strategy_id,
        timeframe=session.recipe.market.timeframe,
        ts=now.bar,
        evaluated_at=now.evaluated_at,
        pairs_evaluated=len({*known, *(signal.symbol for signal in own)}),
        signals=len(own),
        degraded=now.judgement.held.trouble,
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
