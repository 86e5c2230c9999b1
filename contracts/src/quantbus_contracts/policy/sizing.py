"""How much to stake on an entry, and by how much to resize a position that is wanted at another weight."""

from dataclasses import dataclass
from math import isfinite

from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.side import PositionSide
from quantbus_contracts.schema import Signal

__all__ = ["RAISED_AT_MOST", "Resize", "entry_leverage", "entry_stake", "is_below_minimum", "resize"]

RAISED_AT_MOST = 1.3
"""Freqtrade raises a stake to the venue's minimum if that is no more than 30 % above it, and drops it otherwise."""


def entry_stake(
    signal: Signal, proposed: float, capital: float, *, maximum: float, scale: float = 1.0
) -> float:
    """Return the stake of an entry in quote currency; 0.0 where there is no sound one.

    A signal that speaks through its weight stakes that share of ``capital``; any other stakes what the bot
    ``proposed``; of either, the share ``scale``. Never more than ``maximum``, never a number that is not finite.
    """
    wanted = abs(signal.weight) * capital if _by_weight(signal) and signal.weight is not None else proposed
    stake = wanted * scale
    if not (isfinite(stake) and isfinite(maximum)) or stake <= 0 or maximum <= 0:
        return 0.0
    return min(stake, maximum)


def is_below_minimum(stake: float, minimum: float | None) -> bool:
    """Tell whether Freqtrade would silently drop an entry of this stake, given the venue's ``minimum``."""
    return minimum is not None and isfinite(minimum) and stake * RAISED_AT_MOST < minimum


def entry_leverage(signal: Signal, *, allowed: float, maximum: float) -> float:
    """Return the leverage of an entry: what the signal asks for, 1 where it says nothing.

    Never more than the consumer has ``allowed`` or the venue's ``maximum`` for the pair, never less than 1.
    """
    asked = signal.leverage if signal.leverage is not None else 1.0
    if not all(isfinite(number) for number in (asked, allowed, maximum)):
        return 1.0
    return max(1.0, min(asked, allowed, maximum))


@dataclass(frozen=True, slots=True)
class Resize:
    """By how much to change a position in quote currency: above 0 to add, below to reduce, 0.0 to leave it."""

    amount: float = 0.0
    reason: Reason | None = None
    """Why nothing is changed; None where something is, or nothing was asked for."""


def resize(
    signal: Signal,
    side: PositionSide,
    *,
    held: float,
    capital: float,
    minimum: float,
    maximum: float,
    drift_band: float | None,
    scale: float = 1.0,
    hold: Reason | None = None,
    least_rest: float | None = None,
) -> Resize:
    """Return the change that brings a position of value ``held`` to the signal's weight; all in quote currency.

    Nothing is changed within ``drift_band`` (a share of ``capital``), by less than ``minimum`` (what the venue takes),
    or for a signal that does not ask for this ``side`` by its weight. A reduction leaves at least ``minimum``, else
    the rest could not be sold; leaving a position altogether is an exit's business. ``maximum`` bounds what may be
    added, and ``hold`` (`Circumstances.entry_hold`, say) forbids to add, never to reduce.
    """
    if drift_band is None or not _by_weight(signal) or not signal.weight:
        return Resize()
    if (signal.weight > 0) != (side == "long"):
        return Resize()
    rest = minimum if least_rest is None else max(minimum, least_rest)
    if not all(isfinite(number) for number in (held, capital, rest, minimum, maximum, scale)):
        return Resize(reason=Reason.STAKE_INVALID)
    if held <= 0 or capital <= 0 or scale <= 0 or minimum < 0:
        return Resize(reason=Reason.STAKE_INVALID)
    change = abs(signal.weight) * capital * scale - held
    if abs(change) <= drift_band * capital:
        return Resize(reason=Reason.WITHIN_BAND)
    if change > 0 and hold is not None:
        return Resize(reason=hold)
    size = min(change, maximum) if change > 0 else min(-change, held - rest)
    if size <= 0 or size < minimum:
        return Resize(reason=Reason.STAKE_BELOW_MINIMUM)
    return Resize(size if change > 0 else -size)


def _by_weight(signal: Signal) -> bool:
    return signal.action is None and signal.weight is not None
