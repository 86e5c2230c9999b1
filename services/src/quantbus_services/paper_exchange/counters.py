"""Counts of requests by method and path, bounded so that nonsense paths cannot fill the memory."""

from collections import Counter

__all__ = ["RequestCounters"]

_MOST_PATHS = 200


class RequestCounters:
    """What was answered, and what was refused because nothing here takes it (no GET, and no room's)."""

    def __init__(self) -> None:
        """Start at zero."""
        self.answered: Counter[str] = Counter()
        self.refused: Counter[str] = Counter()

    def count(self, method: str, path: str, *, is_taken: bool) -> None:
        """Count one request."""
        counts = self.answered if is_taken else self.refused
        name = f"{method} {path}"
        counts[name if name in counts or len(counts) < _MOST_PATHS else f"{method} (other)"] += 1
