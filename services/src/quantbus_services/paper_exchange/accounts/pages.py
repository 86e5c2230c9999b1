"""Pages of records, as Binance cuts them: from an id, or within a time, or the newest."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from quantbus_services.paper_exchange.accounts.requests import Fields

__all__ = ["page_of"]

_T = TypeVar("_T")


def page_of(
    rows: Sequence[_T],
    fields: Fields,
    *,
    number: Callable[[_T], int],
    time_ms: Callable[[_T], int],
    first: str = "fromId",
    default: int = 500,
    most: int = 1000,
) -> list[_T]:
    """Return one page of ``rows``, which are in the order of their numbers.

    With ``first`` (the name of a parameter) or ``startTime`` the oldest from there, otherwise the newest.
    """
    start, end, from_id = fields.number("startTime"), fields.number("endTime"), fields.number(first)
    limit = fields.limit(default=default, most=most)
    found = [
        row
        for row in rows
        if (from_id is None or number(row) >= from_id)
        and (start is None or time_ms(row) >= start)
        and (end is None or time_ms(row) <= end)
    ]
    return found[:limit] if start is not None or from_id is not None else found[-limit:]
