"""What passes between a client and the exchange, as values: a request, an answer and how it is delivered."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Literal

__all__ = ["Answered", "Ask", "Asked", "Ending", "Headers", "Quiet"]

Headers = tuple[tuple[str, str], ...]
Ending = Literal["whole", "closed", "reset", "dropped"]
"""How a connection ends: as it should, closed or reset (RST) in the body, or reset before the first byte."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request; ``query`` holds the parameters of address and form body alike."""

    method: str
    path: str
    query: Mapping[str, str]

    @property
    def symbol(self) -> str:
        """The market it names, ``BTCUSDT``; empty if none."""
        return self.query.get("symbol", "")


@dataclass(frozen=True, slots=True)
class Quiet:
    """How long the exchange wants to be left alone; a ``ban`` refuses every request meanwhile."""

    seconds: float
    is_ban: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer, and what happens to it on the wire.

    Attributes
    ----------
    delay_seconds
        Real seconds before the first byte.
    ending, share
        How the connection ends, and how much of the body is sent before that.
    quiet
        What the answer asks of the client.
    """

    status: int
    body: bytes
    headers: Headers = (("Content-Type", "application/json"),)
    delay_seconds: float = 0.0
    ending: Ending = "whole"
    share: float = 1.0
    quiet: Quiet | None = None


Ask = Callable[[], Awaitable[Answered]]
"""Asks what lies beneath: the next fault, at last the exchange itself."""
