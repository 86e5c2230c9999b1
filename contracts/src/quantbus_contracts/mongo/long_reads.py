"""Reads of many rows in the order of a time: page by page, so that a time-out bounds a page and not all of it."""

from datetime import datetime
from itertools import takewhile
from typing import Any

from quantbus_contracts.mongo.steps import Row, Steps, find, new_deadline

__all__ = ["PAGE", "read_in_order"]

PAGE = 5_000


def read_in_order(
    collection: str, query: Row, projection: Row | None, *, by: str, limit: int | None = None, **options: Any
) -> Steps[list[Row]]:
    """Return rows with ``by`` from ``query[by]["$gte"]`` on, the oldest first, at most ``limit``.

    An index on ``by`` gives the order. Rows that are moved or come in meanwhile may be there twice, or only in the
    next read.
    """
    rows: list[Row] = []
    since: datetime = query[by]["$gte"]
    had = 0
    while True:
        size = PAGE if limit is None else min(PAGE, limit - len(rows))
        page: list[Row] = yield find(
            collection,
            {**query, by: {**query[by], "$gte": since}},
            projection,
            sort=[(by, 1)],
            skip=had,
            limit=size,
            batch_size=size,
            **options,
        )
        rows += page
        if len(page) < size or len(rows) == limit:
            return rows
        since = page[-1][by]
        had = _of_last_moment(rows, by)
        yield new_deadline()


def _of_last_moment(rows: list[Row], by: str) -> int:
    last = rows[-1][by]
    return sum(1 for _ in takewhile(lambda row: row[by] == last, reversed(rows)))
