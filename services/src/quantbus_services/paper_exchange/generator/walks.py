"""A random walk in log price that can be entered on any day: regimes, and volatility in clusters.

Days come in blocks of 128 that begin and end at levels of their own, so that prices stay sane for ever; in
between a block runs like a random walk. The minutes of a day run from its level to the next day's.
"""

from functools import lru_cache

import numpy as np

from quantbus_services.paper_exchange.generator.chance import key_of, normals, uniforms, waves
from quantbus_services.paper_exchange.series import Floats, Integers

__all__ = ["MINUTES", "Walk"]

MINUTES = 1_440
_BLOCK = 128  # days
_ANCHORS = 8.0  # height of the levels between blocks, in daily sigmas: what 64 days of a random walk come to
_REGIME = 9  # days, on average
_REGIMES = np.array(
    # quiet, bull, bear, turbulent
    [[0.6, 0.0], [0.95, 0.35], [1.1, -0.3], [1.6, -0.15]]
)  # factor of volatility; drift in daily sigmas
_SHARES = np.array([0.3, 0.6, 0.85])  # cumulated: how often each regime comes
_FADING = np.exp(-np.arange(120) / 22)  # minutes
_BURST_EVERY = 300  # minutes
_PARTS = (
    "shock", "tail", "trend", "fast", "size", "weeks", "day", "step", "anchor",
)  # fmt: skip
_SHARED = ("slow", "burst", "months", "change", "regime")


def _hours(minute: Integers) -> Floats:
    """Return how lively each minute of the day is: least in the small hours of UTC, most at 15:00."""
    rhythm: Floats = 1 + 0.35 * np.cos(2 * np.pi * (minute % MINUTES - 15 * 60) / MINUTES)
    return rhythm


class Walk:
    """The walk of one name, a function of seed and name alone; all walks of a seed share their regimes."""

    def __init__(self, seed: int, name: str, *, sigma: float) -> None:
        """Give it a typical daily volatility of ``sigma`` (log return)."""
        self._sigma = sigma
        self._keys = {part: key_of(seed, "walk", name, part) for part in _PARTS}
        self._keys |= {part: key_of(seed, "walk", part) for part in _SHARED}
        self._block = lru_cache(maxsize=64)(self._make_block)

    def level(self, day: int) -> float:
        """Return the log price, relative to the typical one, at which ``day`` (since 1970) opens."""
        return float(self._block(day // _BLOCK)[0][day % _BLOCK])

    def minutes(self, day: int) -> tuple[Floats, Floats]:
        """Return the log prices at the 1441 edges of a day's minutes, and each minute's volatility."""
        levels, sigmas = self._block(day // _BLOCK)
        start, end = levels[day % _BLOCK : day % _BLOCK + 2]
        minute = day * MINUTES + np.arange(MINUTES, dtype=np.int64)
        share = self._liveliness(minute)
        share /= share.sum()
        sigma: Floats = sigmas[day % _BLOCK] * np.sqrt(share)
        shocks = normals(self._keys["shock"], minute) * np.exp(
            0.3 * normals(self._keys["tail"], minute) - 0.09
        )
        steps = sigma * (shocks + 0.1 * waves(self._keys["trend"], minute, 90))
        steps += (end - start - steps.sum()) * share
        edges: Floats = start + np.concatenate([np.zeros(1), np.cumsum(steps)])
        edges[-1] = end  # exactly, so that days join
        return edges, sigma

    def _liveliness(self, minute: Integers) -> Floats:
        """Return the variance of each minute, up to a factor: hours of the day, slow and fast swings, bursts."""
        swings = 0.35 * waves(self._keys["slow"], minute, 170) + 0.3 * waves(self._keys["fast"], minute, 37)
        before = np.arange(minute[0] - len(_FADING) + 1, minute[-1] + 1, dtype=np.int64)
        struck = uniforms(self._keys["burst"], before) < 1 / _BURST_EVERY
        bursts = np.where(struck, np.exp(1.2 + normals(self._keys["size"], before)), 0.0)
        lively: Floats = (
            _hours(minute) * np.exp(2 * swings) * (1 + np.convolve(bursts, _FADING, mode="valid"))
        )
        return lively

    def _make_block(self, block: int) -> tuple[Floats, Floats]:
        """Return the levels at which a block's days open (and the next block's first), and the days' sigmas."""
        day = block * _BLOCK + np.arange(_BLOCK, dtype=np.int64)
        factor, drift = self._regimes(day)
        swings = 0.25 * waves(self._keys["months"], day, 30) + 0.2 * waves(self._keys["weeks"], day, 6)
        sigmas: Floats = self._sigma * factor * np.exp(swings + 0.12 * normals(self._keys["day"], day))
        steps = sigmas * (normals(self._keys["step"], day) + drift)
        ends = _ANCHORS * self._sigma * normals(self._keys["anchor"], np.array([block, block + 1]))
        steps += (ends[1] - ends[0] - steps.sum()) * sigmas**2 / (sigmas**2).sum()
        levels: Floats = ends[0] + np.concatenate([np.zeros(1), np.cumsum(steps)])
        levels[-1] = ends[1]
        return levels, sigmas

    def _regimes(self, day: Integers) -> tuple[Floats, Floats]:
        """Return factor of volatility and drift of each day; a regime lasts 3 to 15 days."""
        cell = day // _REGIME
        late = np.floor(uniforms(self._keys["change"], cell) * 7).astype(np.int64)
        cell = np.where(day - cell * _REGIME < late, cell - 1, cell)
        chosen = _REGIMES[np.searchsorted(_SHARES, uniforms(self._keys["regime"], cell))]
        return chosen[:, 0], chosen[:, 1]
