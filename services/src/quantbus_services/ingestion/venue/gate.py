"""Whether the venue may be asked now: one state for every request to it, whichever task makes it.

A venue that limits or bans counts what comes from an address. So the first answer that asks for quiet closes
the gate for all tasks, at once; when the time is over a single request tries, and the rest follow if it is
answered.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import structlog

from quantbus_contracts.errors import VenueUnavailable
from quantbus_services.ingestion.venue.pauses import Pause

__all__ = ["Gate", "Held"]

_log = structlog.get_logger(__name__)
_FIRST_SECONDS = 2.0
_LONGEST_SECONDS = 60.0  # the window that venues count requests in
_MARGIN_SECONDS = 0.05  # a time that is over to the millisecond here may not be there


class Held(VenueUnavailable):
    """Nothing was sent, because the venue has asked to be left alone."""


class Gate:
    """Closed while the venue wants to be left alone."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        """Measure by ``now``: seconds that only grow."""
        self._now = now
        self._until = float("-inf")
        self._kind = ""
        self._is_trusted = True
        self._pauses_in_a_row = 0
        self._trial = asyncio.Lock()

    @property
    def seconds_left(self) -> float:
        """How long it stays closed; 0 if it is open."""
        return max(0.0, self._until - self._now())

    def close(self, pause: Pause) -> None:
        """Close it for the time the venue named; without one for a time that doubles while it goes on."""
        seconds = pause.seconds
        if seconds is None:
            seconds = min(_LONGEST_SECONDS, _FIRST_SECONDS * 2.0 ** min(self._pauses_in_a_row, 10))
        self._pauses_in_a_row += 1
        self._is_trusted = False
        self._kind = pause.kind
        self._until = max(self._until, self._now() + seconds + _MARGIN_SECONDS)
        _log.warning("venue_wants_quiet", kind=pause.kind, seconds=round(self.seconds_left, 3))

    @asynccontextmanager
    async def passage(self) -> AsyncGenerator[None]:
        """Let one request through.

        Raises
        ------
        Held
            If the gate is closed; it says for how long.
        """
        self._check()
        if self._is_trusted:
            yield
            return
        async with self._trial:
            self._check()
            yield
            self._is_trusted = True
            self._pauses_in_a_row = 0

    def _check(self) -> None:
        left = self.seconds_left
        if left > 0:
            raise Held(
                f"nothing was sent: the venue asked to be left alone ({self._kind}) for another {left:.0f} s",
                kind=self._kind,
                retry_after_seconds=left,
            )
