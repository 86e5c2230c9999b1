"""The way of a signal from its bar's close to the fill, as bars on one scale; pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts import Execution
from quantbus_contracts.policy import Hop, Life, hops_of

__all__ = ["Step", "Waterfall", "waterfalls_of"]

_LEAST_WIDTH = 0.6
"""In hundredths of the scale: a hop of a millisecond is still to be seen."""
_MEANINGS = {
    "bar close": "the bar is closed; nothing may exist before",
    "ingested": "the bar is on the bus",
    "computed": "the model is done",
    "available": "the signal is on the bus",
    "seen": "a bot has read it",
    "ordered": "the order is at the venue",
    "filled": "the order is filled",
}
_OPTIONAL = {"ingested": "the bus does not have the bar", "computed": "the publisher did not say"}


@dataclass(frozen=True, slots=True)
class Step:
    """One hop: where its bar begins and how wide it is, in hundredths of the scale."""

    name: str
    meaning: str
    at: datetime | None
    after: timedelta | None
    begins: float
    width: float

    @property
    def backwards(self) -> bool:
        """Whether it came before the step that should have been before it."""
        return self.after is not None and self.after < timedelta(0)


@dataclass(frozen=True, slots=True)
class Waterfall:
    """The way at one bot; with no bot, as far as the bus."""

    consumer_id: str | None
    execution: Execution | None
    steps: Sequence[Step]
    total: timedelta


def waterfalls_of(life: Life) -> list[Waterfall]:
    """Return one waterfall for each bot that saw the signal, else one that ends on the bus."""
    rows: Sequence[Execution | None] = life.executions or [None]
    return [_waterfall(row, hops_of(life.published, row, ingested_at=life.ingested_at)) for row in rows]


def _waterfall(row: Execution | None, hops: Sequence[Hop]) -> Waterfall:
    known = [hop.at for hop in hops if hop.at is not None]
    start, end = min(known), max(known)
    total = end - start
    steps = []
    before = start
    for hop in hops:
        begins, width = _place(hop, before, start, total)
        steps.append(Step(hop.name, _meaning(hop), hop.at, hop.after, begins, width))
        before = hop.at or before
    return Waterfall(row.consumer_id if row else None, row, steps, total)


def _place(hop: Hop, before: datetime, start: datetime, total: timedelta) -> tuple[float, float]:
    if hop.at is None or not total:
        return 0.0, 0.0 if hop.at is None else _LEAST_WIDTH
    first, last = sorted((before, hop.at))
    begins = (first - start) / total * 100
    width = max((last - first) / total * 100, _LEAST_WIDTH)
    return round(min(begins, 100 - width), 2), round(width, 2)


def _meaning(hop: Hop) -> str:
    if hop.at is None:
        return _OPTIONAL.get(hop.name, "not reached")
    return _MEANINGS.get(hop.name, "")
