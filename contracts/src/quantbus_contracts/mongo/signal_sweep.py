"""Goes through a strategy's signals in the order in which they reached the bus, page by page.

Whoever asks for the newest signal of each pair never sees one that a newer one hid; here every signal comes by.
"""

from datetime import datetime

from quantbus_contracts.mongo.client import Connection, row_of
from quantbus_contracts.mongo.known_signals import around, signal_within, without_giants
from quantbus_contracts.mongo.server_clock import and_the_time
from quantbus_contracts.mongo.steps import Row, Steps, aggregate_undecoded
from quantbus_contracts.ports import SweepPage, SweepPlace
from quantbus_contracts.timeframe import Timeframe

__all__ = ["SignalSweeper"]

COLLECTION = "crypto_signals"


def _after(place: SweepPlace) -> Row:
    if place.signal_id is None:
        return {"available_at": {"$gte": place.available_at}}
    later = {"available_at": {"$gt": place.available_at}}
    same_moment = {"available_at": {"$eq": place.available_at}, "_id": {"$gt": place.signal_id}}
    return {"available_at": {"$gte": place.available_at}, "$or": [later, same_moment]}


def _page(strategy_id: str, timeframe: Timeframe, place: SweepPlace, limit: int) -> Steps[SweepPage]:
    documents = yield aggregate_undecoded(
        COLLECTION,
        [
            {
                "$match": {
                    "strategy_id": {"$eq": strategy_id},
                    "timeframe": timeframe.name,
                    "origin": {"$ne": "backfill"},
                    "_id": {"$type": "string"},
                    **_after(place),
                }
            },
            {"$sort": {"available_at": 1, "_id": 1}},
            {"$limit": limit},
            {"$replaceWith": {"_id": "$_id", "available_at": "$available_at", "row": "$$ROOT"}},
            without_giants("row"),
            {"$unset": "row.history"},
            and_the_time(COLLECTION),
        ],
    )
    now: datetime = row_of(documents.pop())["now"]
    return SweepPage(
        now=now,
        signals=tuple(signal for document in documents if (signal := signal_within(document)) is not None),
        after=_place_of(documents[-1]) if len(documents) == limit else None,
    )


def _place_of(document: bytes) -> SweepPlace:
    """Return the place behind a row; the question says that it has a time and an id."""
    row = around(document)
    return SweepPlace(row["available_at"], row["_id"])


class SignalSweeper:
    """Reads signals in the order of their arrival, synchronously; see `quantbus_contracts.ports.SignalSweeper`."""

    def __init__(self, connection: Connection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    def page(self, strategy_id: str, timeframe: Timeframe, place: SweepPlace, *, limit: int) -> SweepPage:
        """Return at most ``limit`` signals behind ``place``; those of origin ``backfill`` are left out."""
        return self._connection.run(_page(strategy_id, timeframe, place, limit))
