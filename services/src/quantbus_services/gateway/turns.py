"""Whose turn it is: batches of one strategy are chained in its audit, so ours go one after the other.

Without this they would still be right, but each would find the chain moved on and try again, the more of them the
longer. Other publishers stand in no line of ours; the bus settles that.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from weakref import WeakValueDictionary

__all__ = ["Turns"]


class Turns:
    """One line for each strategy that somebody waits for; forgotten when nobody does."""

    def __init__(self) -> None:
        """Begin without lines."""
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def __len__(self) -> int:
        return len(self._locks)

    @asynccontextmanager
    async def of(self, strategies: Iterable[str]) -> AsyncIterator[None]:
        """Wait for the turn of all these strategies; always in one order, so that nobody waits in a circle."""
        async with AsyncExitStack() as stack:
            for strategy_id in sorted(set(strategies)):
                lock = self._locks.get(strategy_id)
                if lock is None:
                    lock = self._locks[strategy_id] = asyncio.Lock()
                await stack.enter_async_context(lock)
            yield
