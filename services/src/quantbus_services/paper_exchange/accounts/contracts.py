"""Perpetuals whose mark is the last price, with funding at a fixed rate: where a market says no more."""

from collections.abc import Mapping, Sequence

from quantbus_services.paper_exchange.accounts.ports import Funding
from quantbus_services.paper_exchange.market import Market

__all__ = ["SteadyContracts"]

_HOURS_MS = 8 * 3_600_000
_RATE = 0.0001
_BRACKETS = (
    (125, 50_000, 0.004),
    (100, 250_000, 0.005),
    (50, 1_000_000, 0.01),
    (20, 10_000_000, 0.025),
    (10, 50_000_000, 0.05),
    (5, 1_000_000_000, 0.1),
)


class SteadyContracts:
    """What is true of every perpetual of a market."""

    def __init__(self, market: Market) -> None:
        """Take the prices from ``market``."""
        self._market = market

    def mark_price(self, name: str, now_ms: int) -> float:
        """Return the last price."""
        return self._market.last_price(name, now_ms)

    def fundings(self, name: str, after_ms: int, until_ms: int) -> Sequence[Funding]:
        """Return an exchange of funding every eight hours."""
        first = (after_ms // _HOURS_MS + 1) * _HOURS_MS
        return [
            Funding(at_ms, _RATE, self.mark_price(name, at_ms))
            for at_ms in range(first, until_ms + 1, _HOURS_MS)
        ]

    def brackets(self, name: str) -> Sequence[Mapping[str, float]]:
        """Return brackets that are continuous where one ends and the next begins."""
        rows, floor, deduction, before = [], 0.0, 0.0, 0.0
        for number, (leverage, cap, rate) in enumerate(_BRACKETS, start=1):
            deduction += floor * (rate - before) if number > 1 else 0.0
            rows.append(
                {
                    "bracket": number,
                    "initialLeverage": leverage,
                    "notionalCap": float(cap),
                    "notionalFloor": floor,
                    "maintMarginRatio": rate,
                    "cum": round(deduction, 8),
                }
            )
            floor, before = float(cap), rate
        return rows
