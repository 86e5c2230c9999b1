"""Notes the moment from which each rule's condition is true, from the metrics themselves, several times a second.

That is what Prometheus, which looks every five seconds, cannot know: how long the alert took from there.
"""

import re
import threading
import time
from collections.abc import Callable, Mapping

import httpx

Samples = dict[str, float]
Condition = Callable[[Samples, float], bool]
_LOOK_SECONDS = 0.2


def finding(kind: str, about: str = "") -> Condition:
    """Return: a finding of this kind stands."""
    return lambda samples, now: any(
        name.startswith("quantbus_finding_since") and f'kind="{kind}"' in name and about in name
        for name in samples
    )


def overdue(metric: str, about: str) -> Condition:
    """Return: the moment that ``metric`` names has passed."""
    return lambda samples, now: any(
        name.startswith(metric) and about in name and now > value for name, value in samples.items()
    )


def equals(metric: str, expected: float) -> Condition:
    """Return: ``metric`` has that value."""
    return lambda samples, now: any(
        name.startswith(metric) and value == expected for name, value in samples.items()
    )


def above(metric: str, limit: float, about: str = "") -> Condition:
    """Return: ``metric`` is above ``limit``."""
    return lambda samples, now: any(
        name.startswith(metric) and about in name and value > limit for name, value in samples.items()
    )


def older(metric: str, seconds: float, about: str = "") -> Condition:
    """Return: the moment that ``metric`` names is longer ago than that."""
    return lambda samples, now: any(
        name.startswith(metric) and about in name and now - value > seconds for name, value in samples.items()
    )


def total_above(metric: str, limit: float) -> Condition:
    """Return: all series of ``metric`` together are above ``limit``."""
    return lambda samples, now: (
        sum(value for name, value in samples.items() if name.startswith(metric)) > limit
    )


def absent(metric: str) -> Condition:
    """Return: there is no series of that name, be it for want of an answer."""
    return lambda samples, now: not any(name.startswith(metric) for name in samples)


def gone(samples: Samples, now: float) -> bool:
    """Tell whether the process no longer answers."""
    return not samples


class Sampler:
    """Reads the metrics of some processes and judges the conditions; a thread of its own."""

    def __init__(self, urls: Mapping[str, str], watched: Mapping[str, tuple[str, Condition]]) -> None:
        """Judge each alert's condition, which is about the metrics of one of ``urls``."""
        self._urls = urls
        self._watched = watched
        self._began: dict[str, float] = {}
        self._true: set[str] = set()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def true_since(self, alert: str, *, after: float) -> float | None:
        """Return since when a condition is true, or when it last began to be, if that was after a moment."""
        began = self._began.get(alert)
        return began if began is not None and (alert in self._true or began >= after) else None

    def is_true(self, alert: str) -> bool:
        """Tell whether a condition is true now."""
        return alert in self._true

    def __enter__(self) -> "Sampler":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join(10)

    def _run(self) -> None:
        with httpx.Client(timeout=2, trust_env=False) as http:
            while not self._stop.wait(_LOOK_SECONDS):
                samples = {name: self._read(http, url) for name, url in self._urls.items()}
                now = time.time()
                for alert, (process, condition) in self._watched.items():
                    if not condition(samples[process], now):
                        self._true.discard(alert)
                    elif alert not in self._true:
                        self._began[alert] = now
                        self._true.add(alert)

    @staticmethod
    def _read(http: httpx.Client, url: str) -> Samples:
        try:
            lines = http.get(f"{url}/metrics").text.splitlines()
        except httpx.HTTPError:
            return {}
        found = (re.match(r"(\w+(?:\{.*\})?) (\S+)", line) for line in lines if not line.startswith("#"))
        return {match[1]: float(match[2]) for match in found if match}
