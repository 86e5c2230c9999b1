"""Wait for what has to happen, and say what was expected when it does not."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def eventually(look: Callable[[], Found | None], *, within: float, what: str) -> Found:
    """Return the first truthy thing that ``look`` returns; fail after ``within`` seconds."""
    deadline = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if time.monotonic() > deadline:
            raise AssertionError(f"within {within:.0f} s expected {what}; found {found!r}")
        time.sleep(0.1)
