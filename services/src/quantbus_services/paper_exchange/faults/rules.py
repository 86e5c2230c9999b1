"""A fault that is switched on: which requests or bars it takes; pure and the same for the same seed."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fnmatch import fnmatchcase
from typing import Any

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.faults.exchange import Asked

__all__ = ["Rule", "draw"]

_SPAN = 2.0**64
_NAMES = {"start_seconds": "from", "end_seconds": "until"}


def draw(seed: int, *key: object) -> float:
    """Return a number in [0, 1) that depends on nothing but the seed and the key."""
    text = "|".join(map(str, (seed, *key))).encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "big") / _SPAN


@dataclass(frozen=True, slots=True)
class Rule:
    """One fault as switched on.

    Attributes
    ----------
    seed, share
        Each request (or bar, or fill) is taken with the probability ``share``, by a draw that ``seed`` decides.
    every, skip, times
        Of the requests that fit, the first ``skip`` pass, then every ``every``-th is taken, ``times`` in all.
    start_seconds, end_seconds
        When it is on, in seconds of the exchange's clock after it was set; None has no end.
    path, symbol
        Patterns (``*`` allowed) of the paths and markets concerned; empty leaves the fault's own choice.
    to
        The new name where a market gets one.
    parameters
        The fault's own numbers.
    """

    name: str
    seed: int = 1
    share: float = 1.0
    every: int = 1
    skip: int = 0
    times: int | None = None
    start_seconds: float = 0.0
    end_seconds: float | None = None
    path: str = ""
    symbol: str = ""
    to: str = ""
    parameters: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Refuse what cannot be meant."""
        problems = {
            "share between 0 and 1": 0 <= self.share <= 1,
            "every of at least 1": self.every >= 1,
            "skip of at least 0": self.skip >= 0,
            "times of at least 1": self.times is None or self.times >= 1,
            "until after from": self.end_seconds is None or self.end_seconds > self.start_seconds,
            "finite numbers": all(map(math.isfinite, (self.start_seconds, *self.parameters.values()))),
        }
        for wanted, holds in problems.items():
            if not holds:
                raise ConfigError(f"fault {self.name}: expected {wanted}, found {self.told()}")

    def is_on(self, seconds_since_set: float) -> bool:
        """Tell whether it is on that long after it was set."""
        return self.start_seconds <= seconds_since_set and (
            self.end_seconds is None or seconds_since_set < self.end_seconds
        )

    def concerns(self, asked: Asked, own_paths: tuple[str, ...]) -> bool:
        """Tell whether a request is of the kind that this fault is about."""
        patterns = (self.path,) if self.path else own_paths
        if not any(fnmatchcase(asked.path, pattern) for pattern in patterns):
            return False
        return not self.symbol or fnmatchcase(asked.symbol, self.symbol)

    def takes_request(self, number: int) -> bool:
        """Tell whether the request with that number (from 0, of those that fit) is taken."""
        behind = number - self.skip
        return behind >= 0 and behind % self.every == 0 and draw(self.seed, self.name, number) < self.share

    def takes_item(self, index: int, *key: object) -> bool:
        """Tell whether a bar or fill is taken: the same in every answer that holds it."""
        return index % self.every == 0 and draw(self.seed, self.name, index, *key) < self.share

    def told(self) -> dict[str, Any]:
        """Return it as JSON-able values, under the names that set it; defaults are left out."""
        values = {item.name: getattr(self, item.name) for item in fields(self) if item.name in _DEFAULTS}
        changed = {name: value for name, value in values.items() if value != _DEFAULTS[name]}
        return {_NAMES.get(name, name): value for name, value in changed.items()} | dict(self.parameters)


_DEFAULTS = {item.name: item.default for item in fields(Rule) if item.name not in ("name", "parameters")}
