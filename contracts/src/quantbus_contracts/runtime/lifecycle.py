"""Start and stop: SIGTERM and SIGINT end an asynchronous process by cancellation, its only shutdown path."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable

__all__ = ["run_until_stopped"]


async def _supervise(work: Callable[[], Awaitable[int | None]]) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, task.cancel)
    try:
        return await task or 0
    except asyncio.CancelledError:
        return 0
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(name)


def run_until_stopped(work: Callable[[], Awaitable[int | None]]) -> int:
    """Run ``work()`` until it returns or the process is asked to stop; return the exit code."""
    return asyncio.run(_supervise(work))
