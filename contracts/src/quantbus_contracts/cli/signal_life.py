"""Gathers the whole life of one signal from the bus."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from quantbus_contracts.cli.signal_rows import flat
from quantbus_contracts.policy import Hop, Life, hops_of, remedies_for, sentence_of, verdict_on
from quantbus_contracts.schema import PublishedSignal, Revision
from quantbus_contracts.timeframe import Timeframe

if TYPE_CHECKING:
    from quantbus_contracts.mongo.client import Connection

__all__ = ["as_dict", "life_of"]


def life_of(connection: "Connection", signal_id: str, now: datetime) -> Life | None:
    """Gather the life of a signal; None if the bus does not know it."""
    from quantbus_contracts.mongo.account_books import AccountBooks
    from quantbus_contracts.mongo.bar_arrivals import BarArrivals
    from quantbus_contracts.mongo.controls import ControlStore
    from quantbus_contracts.mongo.execution_reader import ExecutionReader
    from quantbus_contracts.mongo.heartbeats import HeartbeatStore
    from quantbus_contracts.mongo.risk_states import RiskStateStore
    from quantbus_contracts.mongo.signal_reader import SignalReader
    from quantbus_contracts.mongo.signal_search import SignalFilter, SignalSearch

    published = SignalReader(connection).get(signal_id)
    if published is None:
        return None
    signal = published.signal
    later = SignalFilter(
        signal.strategy_id, signal.pair, signal.timeframe, since=signal.ts + timedelta(milliseconds=1)
    )
    return Life(
        now,
        published,
        executions=ExecutionReader(connection).of_signal(signal_id),
        newer=next(SignalSearch(connection).each(later), None),
        controls=ControlStore(connection).snapshot().controls,
        risks=RiskStateStore(connection).snapshot().states,
        fills=AccountBooks(connection).fills(signal_id=signal_id),
        bots=HeartbeatStore(connection).all(),
        ingested_at=BarArrivals(connection).of(signal.symbol, Timeframe.parse(signal.timeframe), signal.ts),
    ).confined()


def as_dict(life: Life) -> dict[str, Any]:
    """Return the whole life as plain values, ready for JSON."""
    published = life.published
    states: list[Revision | PublishedSignal] = [*published.history, published]
    return {
        "signal": flat(published),
        "verdict": verdict_on(life),
        "revisions": [
            {
                "version": state.version,
                "available_at": state.available_at.isoformat(),
                "valid_until": state.valid_until.isoformat(),
                "published_by": state.published_by,
                "content": {
                    name: value.isoformat() if isinstance(value, datetime) else value
                    for name, value in state.signal.content.items()
                    if value is not None
                },
            }
            for state in states
        ],
        "hops": _plain_hops(hops_of(published, ingested_at=life.ingested_at)),
        "ledger": [
            {
                **execution.model_dump(mode="json", exclude_none=True),
                "sentence": sentence_of(execution),
                "hops": _plain_hops(hops_of(published, execution, ingested_at=life.ingested_at)),
            }
            for execution in life.executions
        ],
        "newer": life.newer.signal_id if life.newer else None,
        "remedies": remedies_for(life),
        "window": {
            "start": life.window.start.isoformat(),
            "end": life.window.end.isoformat(),
            "ended_by": life.window.ended_by.value,
        },
        "fills": [fill.model_dump(mode="json", exclude_none=True) for fill in life.fills],
        "controls": [control.model_dump(mode="json", exclude_none=True) for control in life.controls],
        "risk": [state.model_dump(mode="json", exclude_none=True) for state in life.risks],
    }


def _plain_hops(hops: Sequence[Hop]) -> list[dict[str, Any]]:
    return [
        {
            "name": hop.name,
            "at": hop.at.isoformat() if hop.at else None,
            "seconds": hop.after.total_seconds() if hop.after is not None else None,
        }
        for hop in hops
    ]
