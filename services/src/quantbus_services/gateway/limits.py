"""Token buckets, one for each key or client, in bounded memory."""

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

__all__ = ["Buckets"]


@dataclass(slots=True)
class _Bucket:
    level: float
    at: float


class Buckets:
    """Lets each name spend ``burst`` at once and ``per_second`` for long.

    A name that was not heard of for longest is forgotten first: forgetting makes a full bucket, so the most
    names must be far more than honest clients are.
    """

    def __init__(
        self, per_second: float, burst: float, seconds: Callable[[], float], *, most_names: int = 10_000
    ) -> None:
        """Count on the monotonic clock ``seconds``."""
        self._per_second = per_second
        self._burst = burst
        self.seconds = seconds
        self._most_names = most_names
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def spend(self, name: str) -> float:
        """Take one; return 0, or the seconds to wait where there is none left (then nothing is taken)."""
        wait = self.wait(name)
        if wait == 0:
            self._buckets[name].level -= 1
        return wait

    def wait(self, name: str) -> float:
        """Return the seconds until there is one to take."""
        now = self.seconds()
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(self._burst, now)
            if len(self._buckets) > self._most_names:
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(name)
        bucket.level = min(self._burst, bucket.level + (now - bucket.at) * self._per_second)
        bucket.at = now
        return 0.0 if bucket.level >= 1 else (1 - bucket.level) / self._per_second
