"""How long to wait between tries: exponential, bounded, with jitter."""

from collections.abc import Callable, Iterator

__all__ = ["delays"]


def delays(
    attempts: int, *, first: float, ceiling: float, random: Callable[[], float], factor: float = 2.0
) -> Iterator[float]:
    """Yield the ``attempts - 1`` pauses (seconds) between tries, each from half its bound up to its bound.

    ``random`` gives values in [0, 1). The jitter keeps many callers from asking again in step.
    """
    bound = first
    for _ in range(attempts - 1):
        yield min(bound, ceiling) * (0.5 + 0.5 * random())
        bound *= factor
