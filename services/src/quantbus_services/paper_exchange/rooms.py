"""Rooms of the exchange that add to its market side: each brings routes, and may stand before all others."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol

from starlette.requests import Request
from starlette.types import ASGIApp

__all__ = ["Handler", "Room"]

Handler = Callable[[Request, int], Awaitable[object]]
"""Answers a request at ``now_ms`` with a response, JSON text, or what becomes JSON; may raise `Refusal`."""


class Room(Protocol):
    """A part of the exchange of its own."""

    @property
    def routes(self) -> Mapping[tuple[str, str], Handler]:
        """Return handlers by method and exact path; they go before the market routes."""
        ...

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Return ``app``, or what stands before it."""
        ...

    def close(self) -> None:
        """Let go of files; nothing is asked of the room any more."""
        ...
