"""Time that passes when everything sleeps: many tasks, one clock, no waiting."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from heapq import heappop, heappush
from itertools import count
from typing import Any

from quantbus_contracts.testing import FrozenClock

# Turns of the event loop after which every task sleeps, since nothing here does real I/O.
_SETTLING_STEPS = 30


@dataclass
class VirtualTime:
    """Moves ``clock`` from one sleeper's end to the next; who moves it otherwise makes it jump for all."""

    clock: FrozenClock
    on_step: Callable[[], None] = lambda: None
    elapsed: float = 0.0
    _sleepers: list[tuple[float, int, asyncio.Future[None]]] = field(default_factory=list)
    _numbers: "count[int]" = field(default_factory=count)

    async def sleep(self, seconds: float) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heappush(self._sleepers, (self.elapsed + max(0.0, seconds), next(self._numbers), future))
        await future

    async def drive(self, doing: Coroutine[Any, Any, Any], until: datetime, most: float = 1e9) -> Any:
        """Run ``doing`` until it returns, or the clock shows ``until``, or ``most`` seconds have passed."""
        task = asyncio.ensure_future(doing)
        try:
            while True:
                for _ in range(_SETTLING_STEPS):
                    await asyncio.sleep(0)
                if task.done():
                    return task.result()
                woken = self._step()
                if self.clock.now() >= until or self.elapsed >= most:
                    return None
                woken.set_result(None)
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def _step(self) -> asyncio.Future[None]:
        """Let time pass until the next sleeper's end; return what it waits for."""
        while self._sleepers and self._sleepers[0][2].done():
            heappop(self._sleepers)
        assert self._sleepers, "everything waits and nothing sleeps"
        wakes, _, future = heappop(self._sleepers)
        self.clock.advance(timedelta(seconds=wakes - self.elapsed))
        self.elapsed = wakes
        self.on_step()
        return future
