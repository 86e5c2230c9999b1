"""How long one loop of the bot waits for the bus, all questions together.

A question that is cut off costs its connection, and the next loop has to make another one. So on a slow bus the
later question is left out rather than cut off; the hard bounds are for a bus that stops answering midway.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

from quantbus_contracts.clock import Clock

__all__ = ["Patience", "Stretch"]

_ASKING, _TELLING = 1.5, 3.0
"""Hard bounds of what is asked before acting, and of what is told afterwards, in times of one question."""

Bounded = Callable[[float], AbstractContextManager[None]]


def _unbounded(seconds: float) -> AbstractContextManager[None]:
    return nullcontext()


class Stretch:
    """Part of a loop, begun when this was made."""

    def __init__(self, clock: Clock, question: timedelta) -> None:
        """Begin; ``question`` is the greatest time for one question."""
        self._clock = clock
        self._question = question
        self._begin = clock.now()

    @property
    def has_time(self) -> bool:
        """Whether another question may begin: half the time of one is left unused."""
        return self._clock.now() - self._begin < self._question / 2


class Patience:
    """Knows the bounds of a loop."""

    def __init__(self, clock: Clock, question: timedelta, bounded: Bounded = _unbounded) -> None:
        """Let one ``question`` take so long; whatever is asked inside ``bounded(seconds)`` shares that time."""
        self._clock = clock
        self._question = question
        self._bounded = bounded

    def stretch(self) -> Stretch:
        """Begin a stretch of questions of which the later ones may be left out."""
        return Stretch(self._clock, self._question)

    def asking(self) -> AbstractContextManager[None]:
        """Bound what is asked before acting."""
        return self._bounded(_ASKING * self._question.total_seconds())

    def telling(self) -> AbstractContextManager[None]:
        """Bound what is told, and read back, afterwards."""
        return self._bounded(_TELLING * self._question.total_seconds())
