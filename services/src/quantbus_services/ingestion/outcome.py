"""Where failures end that must not end ingestion: the one place that catches every exception.

Only for the body of a loop that goes on: whoever asks for an outcome logs a failure, counts it, and rests.
"""

from collections.abc import Awaitable
from typing import TypeVar

__all__ = ["outcome"]

Result = TypeVar("Result")


async def outcome(work: Awaitable[Result]) -> Result | Exception:
    """Return what the work came to, or the exception that ended it; a cancellation goes through."""
    try:
        return await work
    except Exception as error:  # noqa: BLE001  # handed to the loop, which tells it
        return error
