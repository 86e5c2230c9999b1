"""Made-up worths of currencies in dollars; a pair's price is the ratio of two, so that crosses agree.

Every coin follows one common market by its own beta and adds a walk of its own: coins are correlated, and
quiet and turbulent times are the same for all.
"""

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from quantbus_services.paper_exchange.generator.walks import MINUTES, Walk
from quantbus_services.paper_exchange.series import Floats

__all__ = ["AssetDay", "Assets", "start_price", "turnover"]

_MARKET_SIGMA = 0.021
_START_PRICES = {
    "BTC": 60_000.0, "ETH": 3_000.0, "BNB": 600.0, "SOL": 150.0, "XRP": 0.6, "DOGE": 0.15, "ADA": 0.5,
    "LTC": 80.0, "LINK": 15.0, "AVAX": 30.0, "DOT": 6.0, "TRX": 0.12,
    "EUR": 1.08, "GBP": 1.27, "TRY": 0.03, "BRL": 0.18,
}  # fmt: skip
_DOLLARS = frozenset({"USD", "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "DAI"})
_FIAT = frozenset({"EUR", "GBP", "TRY", "BRL"})
_BETAS = {"BTC": 0.9, "ETH": 1.05}
_OWN_SIGMAS = {"BTC": 0.011, "ETH": 0.018}
_TURNOVERS = {"BTC": 900_000.0, "ETH": 500_000.0}


def start_price(asset: str) -> float:
    """Return what an asset is typically worth, in dollars."""
    if asset in _DOLLARS:
        return 1.0
    return _START_PRICES.get(asset) or float(10.0 ** (zlib.crc32(asset.encode()) % 300 / 100))


def turnover(asset: str) -> float:
    """Return what is typically traded of an asset in a minute, in dollars."""
    return _TURNOVERS.get(asset) or 20_000.0 * 10.0 ** (zlib.crc32(asset.encode() + b"turnover") % 100 / 100)


def _beta(asset: str) -> float:
    if asset in _FIAT:
        return 0.03
    return _BETAS.get(asset) or 0.8 + zlib.crc32(asset.encode() + b"beta") % 100 / 160


@dataclass(frozen=True, slots=True)
class AssetDay:
    """One day of an asset: log worth at the 1441 edges of its minutes, volatility of its 1440 minutes."""

    edges: Floats
    sigma: Floats


class Assets:
    """The made-up worths of all assets under one seed."""

    def __init__(self, seed: int) -> None:
        """Make them up from ``seed``."""
        self._seed = seed
        self._market = Walk(seed, "market", sigma=_MARKET_SIGMA)
        self._market_day = lru_cache(maxsize=64)(self._market.minutes)
        self._walk = lru_cache(maxsize=1_024)(self._make_walk)
        self.day = lru_cache(maxsize=256)(self._make_day)

    def level(self, asset: str, day: int) -> float:
        """Return the log worth at which a day opens."""
        typical = float(np.log(start_price(asset)))
        if asset in _DOLLARS:
            return typical
        return typical + _beta(asset) * self._market.level(day) + self._walk(asset).level(day)

    def _make_walk(self, asset: str) -> Walk:
        sigma = 0.004 if asset in _FIAT else _OWN_SIGMAS.get(asset, 0.022)
        return Walk(self._seed, asset, sigma=sigma)

    def _make_day(self, asset: str, day: int) -> AssetDay:
        typical = float(np.log(start_price(asset)))
        if asset in _DOLLARS:
            return AssetDay(np.full(MINUTES + 1, typical), np.zeros(MINUTES))
        beta = _beta(asset)
        market, market_sigma = self._market_day(day)
        own, own_sigma = self._walk(asset).minutes(day)
        return AssetDay(typical + beta * market + own, np.hypot(beta * market_sigma, own_sigma))
