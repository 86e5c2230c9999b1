"""Chance that anyone can redo: numbers that are a pure function of a key and an index.

Nothing is drawn in sequence, so the value at an index is the same whoever asks, in whatever order, after any
restart, and whatever version of NumPy draws its random numbers otherwise.
"""

from hashlib import blake2b

import numpy as np

from quantbus_services.paper_exchange.series import Floats, Integers

__all__ = ["key_of", "normals", "uniforms", "waves"]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_UNIT = 2.0**-53


def key_of(*parts: int | str) -> int:
    """Return the key of a stream of chance."""
    text = "\x1f".join(map(str, parts)).encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little")


def uniforms(key: int, index: Integers) -> Floats:
    """Return numbers evenly spread over (0, 1), by splitmix64."""
    bits = np.uint64(key) + index.astype(np.int64).view(np.uint64) * _GOLDEN
    bits = (bits ^ (bits >> np.uint64(30))) * _FIRST
    bits = (bits ^ (bits >> np.uint64(27))) * _SECOND
    bits ^= bits >> np.uint64(31)
    spread: Floats = ((bits >> np.uint64(11)).astype(np.float64) + 0.5) * _UNIT
    return spread


def normals(key: int, index: Integers) -> Floats:
    """Return numbers of the standard normal distribution (Box and Muller's way)."""
    radius = np.sqrt(-2 * np.log(uniforms(key, index)))
    spread: Floats = radius * np.cos(2 * np.pi * uniforms(key ^ 0x5DEECE66D, index))
    return spread


def waves(key: int, index: Integers, period: int) -> Floats:
    """Return a smooth path of unit variance that forgets itself after ``period`` steps of ``index``."""
    cell = index // period
    share = (index - cell * period) / period
    weight = share * share * (3 - 2 * share)
    mixed: Floats = (1 - weight) * normals(key, cell) + weight * normals(key, cell + 1)
    return mixed / np.sqrt((1 - weight) ** 2 + weight**2)
