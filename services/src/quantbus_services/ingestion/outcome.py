"""Where failures end that must not end ingestion: the one place that catches every exception.

Only for the body of a loop that goes on: whoever asks for an outcome logs a failure, counts it, and rests.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import TypeVar

__all__ = ["end_all", "outcome"]

_ASK_AGAIN_SECONDS = 0.25

Result = TypeVar("Result")


async def outcome(work: Awaitable[Result]) -> Result | Exception:
    """Return what the work came to, or the exception that ended it; a cancellation goes through.

    Also one that a library has made another error of: a loop that took it for a failure would never end.
    """
    try:
        return await work
    except Exception as error:
        task = asyncio.current_task()
        if task is not None and task.cancelling():
            raise asyncio.CancelledError from error
        return error


async def end_all(tasks: Sequence["asyncio.Task[object]"]) -> None:
    """Cancel tasks until all have ended: a library that swallows a cancellation is asked again."""
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=_ASK_AGAIN_SECONDS)
    await asyncio.gather(*tasks, return_exceptions=True)
