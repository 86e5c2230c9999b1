"""How much to stake on an entry."""

from math import isfinite

from quantbus_contracts.schema import Signal

__all__ = ["entry_stake"]


def entry_stake(signal: Signal, proposed: float, capital: float, *, maximum: float) -> float:
    """Return the stake of an entry in quote currency; 0.0 where there is no sound one.

    A signal that speaks through its weight stakes that share of ``capital``; any other stakes what the bot
    ``proposed``. Never more than ``maximum``, never a number that is not finite.
    """
    by_weight = signal.action is None and signal.weight is not None
    stake = abs(signal.weight) * capital if by_weight and signal.weight is not None else proposed
    if not (isfinite(stake) and isfinite(maximum)) or stake <= 0 or maximum <= 0:
        return 0.0
    return min(stake, maximum)
