"""Start and stop: SIGTERM and SIGINT end an asynchronous process by cancellation, its only shutdown path."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import NoReturn

__all__ = ["leave_at_once", "run_until_stopped"]


async def _supervise(work: Callable[[], Awaitable[int | None]], patience_seconds: float) -> int:
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work())
    supervisor = asyncio.current_task()

    def stop() -> None:
        task.cancel()
        loop.call_later(patience_seconds, insist)

    def insist() -> None:
        """Cancel whatever still runs, for as long as it takes.

        A library may swallow a cancellation that meets an answer, and a task group cancels its tasks only once.
        """
        if not task.done():
            for running in asyncio.all_tasks(loop) - {supervisor}:
                running.cancel()
            loop.call_later(patience_seconds, insist)

    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, stop)
    try:
        return await task or 0
    except asyncio.CancelledError:
        return 0
    finally:
        for name in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(ValueError):
                loop.remove_signal_handler(name)


def run_until_stopped(work: Callable[[], Awaitable[int | None]], *, patience_seconds: float = 7.0) -> int:
    """Run ``work()`` until it returns or the process is asked to stop; return the exit code.

    ``patience_seconds`` is longer than its tidying up takes, and shorter than the ten seconds after which an engine of
    containers kills: what still runs then is cancelled again.
    """
    return asyncio.run(_supervise(work, patience_seconds))


def leave_at_once(code: int) -> NoReturn:
    """End the process when everything is closed; dismantling large libraries first would take some seconds more."""
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)
