"""The newest rows of a collection, kept and brought up to date instead of being read again with every cycle."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from datetime import datetime, timedelta
from typing import Generic, TypeVar

__all__ = ["Recent"]

Item = TypeVar("Item")
_OVERLAP = timedelta(seconds=60)
"""Read again with every cycle: rows become visible in another order than their times say."""
_OUTAGE = timedelta(seconds=15)
"""Without an answer for longer than this, writers were cut off as well."""
_CATCHING_UP = timedelta(minutes=2)
"""For so long after an outage writers may send what they kept, with the times at which it happened."""


class Recent(Generic[Item]):
    """Rows by their keys, none older than ``reach`` unless ``keeps`` says that they are still needed."""

    def __init__(
        self,
        read: Callable[[datetime], Awaitable[Sequence[Item]]],
        *,
        key: Callable[[Item], Hashable],
        moment: Callable[[Item], datetime],
        reach: timedelta,
        keeps: Callable[[Item], bool] = lambda _item: False,
    ) -> None:
        """Read rows at or after a moment with ``read``; ``moment`` is the time it goes by."""
        self._read = read
        self._key = key
        self._moment = moment
        self._reach = reach
        self._keeps = keeps
        self._items: dict[Hashable, Item] = {}
        self._read_until: datetime | None = None
        self._held_at: datetime | None = None
        self._held_until: datetime | None = None

    @property
    def items(self) -> Sequence[Item]:
        """What is known, oldest first."""
        return sorted(self._items.values(), key=self._moment)

    def put(self, items: Sequence[Item]) -> None:
        """Take rows that were read otherwise."""
        self._items |= {self._key(item): item for item in items}

    async def bring_up(self, now: datetime) -> None:
        """Read what is new at ``now`` (the bus's clock), and let go of what is old."""
        self.put(await self._read(max(self._start(now), now - self._reach)))
        self._read_until = now
        oldest = now - self._reach
        self._items = {
            key: item
            for key, item in self._items.items()
            if self._moment(item) >= oldest or self._keeps(item)
        }

    def _start(self, now: datetime) -> datetime:
        until = self._read_until
        if until is None:
            return now - self._reach
        if now - until > _OUTAGE:
            self._held_at = min(until, self._held_at or until)
            self._held_until = now + _CATCHING_UP
        if self._held_at is not None and self._held_until is not None:
            if now < self._held_until:
                return min(self._held_at, now) - _OVERLAP
            self._held_at = self._held_until = None
        return min(until, now) - _OVERLAP
