"""How long the hops of a day's signals took; pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from quantbus_contracts import Execution, Timeframe
from quantbus_contracts.mongo.day_book import SaidSignal
from quantbus_services.monitor.daily.facts import Bar
from quantbus_services.monitor.daily.report import HopSpread, Spread

__all__ = ["HOPS", "hops_of_day", "spread_of"]

HOPS = (
    "bar close → ingested",
    "ingested → computed",
    "computed → available",
    "bar close → available",
    "available → seen",
    "seen → ordered",
    "ordered → filled",
)


def spread_of(values: Iterable[float]) -> Spread | None:
    """Return median, 95th percentile (nearest rank) and the largest; None of nothing."""
    ordered = sorted(values)
    if not ordered:
        return None
    ranks = (math.ceil(share * len(ordered)) - 1 for share in (0.5, 0.95))
    p50, p95 = (ordered[rank] for rank in ranks)
    return Spread(count=len(ordered), p50=p50, p95=p95, worst=ordered[-1])


def hops_of_day(
    signals: Sequence[SaidSignal], rows: Sequence[Execution], arrivals: Mapping[Bar, datetime]
) -> tuple[HopSpread, ...]:
    """Return the spread of each hop that was taken; clocks apart from each other do not make a hop negative."""
    taken: dict[str, list[float]] = defaultdict(list)

    def add(hop: str, begun: datetime | None, ended: datetime | None) -> None:
        if begun is not None and ended is not None:
            taken[hop].append(max(0.0, (ended - begun).total_seconds()))

    for signal in signals:
        closed = Timeframe.parse(signal.timeframe).close_of(signal.ts)
        arrived = arrivals.get((signal.symbol, signal.timeframe, signal.ts))
        if arrived is not None and arrived <= (signal.computed_at or signal.available_at):
            add(HOPS[0], closed, arrived)  # else the bar was corrected since
            add(HOPS[1], arrived, signal.computed_at)
        add(HOPS[2], signal.computed_at, signal.available_at)
        add(HOPS[3], closed, signal.available_at)
    for row in rows:
        add(HOPS[4], row.available_at, row.seen_at)
        add(HOPS[5], row.seen_at, row.ordered_at)
        add(HOPS[6], row.ordered_at, row.filled_at)
    found = []
    for hop in HOPS:
        spread = spread_of(taken[hop])
        if spread is not None:
            found.append(HopSpread(hop=hop, seconds=spread))
    return tuple(found)
