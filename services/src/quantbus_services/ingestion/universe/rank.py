"""Turnovers -> the best of them; pure."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import UniverseMember
from quantbus_contracts.symbols import Instrument, MarketType

__all__ = ["Choice", "rank"]


@dataclass(frozen=True, slots=True)
class Choice:
    """Which markets may be in a universe, and how many."""

    most: int
    market_type: MarketType = "spot"
    quote: str | None = "USDT"
    exclude: Collection[str] = ()
    """Base currencies that are left out, such as stablecoins."""

    def admits(self, instrument: Instrument) -> bool:
        """Tell whether the market is of the wanted kind; contracts settled in their base count nothing comparable."""
        return (
            instrument.market_type == self.market_type
            and instrument.settle in ("", instrument.quote)
            and self.quote in (None, instrument.quote)
            and instrument.base not in self.exclude
        )


def rank(turnovers: Mapping[Instrument, float], choice: Choice) -> tuple[UniverseMember, ...]:
    """Return the members, greatest turnover first; equal ones by name, so that the same data give the same list.

    Raises
    ------
    ConfigError
        If no market is left that traded at all.
    """
    admitted = [
        (instrument, volume)
        for instrument, volume in turnovers.items()
        if choice.admits(instrument) and math.isfinite(volume) and volume > 0
    ]
    if not admitted:
        raise ConfigError(
            f"expected {choice.market_type} markets{f' quoted in {choice.quote}' if choice.quote else ''} that "
            f"traded, found none among {len(turnovers)}; look at --market, --quote, --window and --as-of"
        )
    admitted.sort(key=lambda item: (-item[1], item[0].symbol))
    return tuple(
        UniverseMember(symbol=instrument.symbol, quote_volume=volume)
        for instrument, volume in admitted[: choice.most]
    )
