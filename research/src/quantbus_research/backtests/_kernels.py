"""The engine: one pass over contiguous (symbol, time) arrays, compiled.

Two ways to hold capital, one way to trade: in *sleeves* every symbol has cash of its own and is run through time by
itself; in a *shared* account all symbols trade from one cash balance. An order is made, priced and booked by the same
two functions in both. Nothing here reads a value of a later bar than the one it is at.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

__all__ = ["Fills", "Floats", "Tape", "Terms", "run_shared", "run_sleeves"]

Floats = NDArray[np.float64]
Switches = NDArray[np.bool_]
Function = TypeVar("Function", bound=Callable[..., object])


def compiled(function: Function) -> Function:
    """Compile a function on its first call, or take what an earlier process compiled."""
    made: Function = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return made


class Terms(NamedTuple):
    """Everything about trading that is one number for the whole run."""

    fee_rate: float
    half_spread: float
    impact_alpha: float
    impact_beta: float
    minimum_order: float
    raised_at_most: float
    """An entry below the minimum is raised to it if that is no more than this times as much, else dropped."""
    band: float
    """Share of the capital by which a position may differ from its target; below 0: trade when the target changes."""
    compounds: bool
    """Whether a target is a share of what the capital has become, or of what it was at first."""
    shift: int
    """How many bars after the one at whose close a target is decided an order is made."""


class Tape(NamedTuple):
    """What the run passes by, bar by bar; each (n_symbols, n_bars)."""

    target: Floats
    """Share of the capital to hold once the bar has closed, -1..1; NaN: leave it as it is."""
    price: Floats
    """What an order fills at before costs; NaN: no bar."""
    close: Floats
    """What a position is worth at the end of the bar; NaN: no bar."""
    traded: Floats
    """Value traded in the bar; empty where no impact is asked for."""
    funding: Floats
    """Rate charged at the bar's open on what is held until then; empty for none."""


class Fills(NamedTuple):
    """Room for the orders that fill: one entry each, in the order in which they were made."""

    symbol: NDArray[np.int32]
    bar: NDArray[np.int64]
    units: Floats
    reference: Floats
    price: Floats
    fee: Floats


@compiled
def _wanted_change(target: float, held: float, price: float, base: float, terms: Terms) -> float:
    """Return by how many units to change a position of ``held`` units, before cash is asked; 0.0 for no order."""
    if base <= 0.0 or target == 0.0:  # a ruined account enters nothing any more
        return -held
    units = target * base / price
    if held == 0.0:
        value = abs(units) * price
        if value >= terms.minimum_order:
            return units
        raised = value * terms.raised_at_most >= terms.minimum_order
        return np.sign(units) * terms.minimum_order / price if raised else 0.0
    if (units > 0.0) == (held > 0.0):
        if terms.band >= 0.0 and abs(units - held) * price <= terms.band * base:
            return 0.0
        if abs(units) < abs(held) and abs(units) * price < terms.minimum_order:
            units = np.sign(held) * min(abs(held), terms.minimum_order / price)
    return units - held if abs(units - held) * price >= terms.minimum_order else 0.0


@compiled
def _fill_price(change: float, price: float, traded: float, terms: Terms) -> float:
    """Return the price at which an order fills, after half the spread and its own impact."""
    adverse = terms.half_spread
    if terms.impact_alpha > 0.0:
        value = abs(change) * price
        participation = min(1.0, value / traded) if traded > 0.0 else 1.0
        adverse += terms.impact_alpha * participation**terms.impact_beta
    return price * (1.0 + adverse) if change > 0.0 else price * (1.0 - adverse)


@compiled
def _note(
    fills: Fills, count: int, symbol: int, bar: int, change: float, reference: float, price: float, fee: float
) -> None:
    fills.symbol[count] = symbol
    fills.bar[count] = bar
    fills.units[count] = change
    fills.reference[count] = reference
    fills.price[count] = price
    fills.fee[count] = fee


@compiled
def _sleeve_order(
    wanted: float, cash: float, held: float, price: float, traded: float, capital: float, terms: Terms
) -> tuple[float, float, float]:
    """Return the order that brings a sleeve to its target: units, price, fee; 0.0 units for none."""
    worth = cash + held * price
    base = (worth if terms.compounds else capital) if worth > 0.0 else 0.0
    change = _wanted_change(wanted, held, price, base, terms)
    if change == 0.0:
        return 0.0, 0.0, 0.0
    filled = _fill_price(change, price, traded, terms)
    if change > 0.0:  # what covers a short is bought in any case
        change = min(change, max(cash / (filled * (1.0 + terms.fee_rate)), max(0.0, -held)))
    return change, filled, abs(change) * filled * terms.fee_rate


@compiled
def run_sleeves(
    tape: Tape, capital: float, terms: Terms, fills: Fills, equity: Floats, paid: Floats
) -> tuple[int, int]:
    """Trade each symbol on its own capital; return how many orders filled and how many entries were dropped.

    ``capital`` is each symbol's. Filled here: ``equity``, each sleeve's worth at each bar's close, and ``paid``, the
    funding it paid at each open.
    """
    target, price, close, traded, funding = tape
    symbols, bars = price.shape
    has_funding, has_traded = funding.size > 0, traded.size > 0
    count = dropped = 0
    for s in range(symbols):
        cash, held, worth, wanted, acted, fresh = capital, 0.0, 0.0, 0.0, 0.0, False
        for k in range(bars):
            asked = target[s, k - terms.shift] if k >= terms.shift else np.nan
            if asked == asked:
                wanted, fresh = asked, True
            now = price[s, k]
            if has_funding and held != 0.0 and now == now:
                paid[s, k] = held * now * funding[s, k]
                cash -= paid[s, k]
            if fresh and now == now and (wanted != acted or terms.band >= 0.0):
                fresh, acted = False, wanted
                volume = traded[s, k - 1] if has_traded and k > 0 else 0.0
                change, filled, fee = _sleeve_order(wanted, cash, held, now, volume, capital, terms)
                if change != 0.0:
                    cash -= change * filled + fee
                    held = 0.0 if change == -held else held + change
                    _note(fills, count, s, k, change, now, filled, fee)
                    count += 1
                elif wanted != 0.0 and held == 0.0:
                    dropped += 1
            last = close[s, k]
            if last == last:
                worth = last
            equity[s, k] = cash + held * worth
    return count, dropped


@compiled
def _hear(tape: Tape, k: int, terms: Terms, wanted: Floats, acted: Floats, fresh: Switches) -> bool:
    """Take in the targets that count at bar ``k``; tell whether any symbol is to trade at its open."""
    any_due = False
    for s in range(len(wanted)):
        asked = tape.target[k - terms.shift, s] if k >= terms.shift else np.nan
        if asked == asked:
            wanted[s] = asked
            fresh[s] = True
        if fresh[s] and tape.price[k, s] == tape.price[k, s]:
            if wanted[s] != acted[s] or terms.band >= 0.0:
                any_due = True
            else:
                fresh[s] = False
    return any_due


@compiled
def _value(held: Floats, price: Floats, worth: Floats) -> float:
    """Return what is held at these prices, at the last known worth where there is none."""
    value = 0.0
    for s in range(len(held)):
        if held[s] != 0.0:
            value += held[s] * (price[s] if price[s] == price[s] else worth[s])
    return value


@compiled
def _shared_orders(
    price: Floats,
    traded: Floats,
    base: float,
    terms: Terms,
    wanted: Floats,
    acted: Floats,
    fresh: Switches,
    held: Floats,
    change: Floats,
    filled: Floats,
) -> int:
    """Fill ``change`` and ``filled`` with the orders due, cash not yet asked; return how many entries were dropped."""
    dropped = 0
    for s in range(len(held)):
        change[s] = 0.0
        if not fresh[s] or price[s] != price[s]:
            continue
        fresh[s], acted[s] = False, wanted[s]
        change[s] = _wanted_change(wanted[s], held[s], price[s], base, terms)
        if change[s] != 0.0:
            filled[s] = _fill_price(change[s], price[s], traded[s], terms)
        elif wanted[s] != 0.0 and held[s] == 0.0:
            dropped += 1
    return dropped


@compiled
def _settle(cash: float, held: Floats, change: Floats, filled: Floats, fee_rate: float) -> float:
    """Cut purchases to what the cash allows, book all orders, return the cash that is left."""
    needed = 0.0
    for s in range(len(held)):
        cover = min(max(change[s], 0.0), max(0.0, -held[s]))
        if change[s] < 0.0:
            cash -= change[s] * filled[s] * (1.0 - fee_rate)
        elif change[s] > 0.0:  # what covers a short is bought in any case
            cash -= cover * filled[s] * (1.0 + fee_rate)
            needed += (change[s] - cover) * filled[s] * (1.0 + fee_rate)
    share = 1.0 if needed <= max(0.0, cash) else max(0.0, cash) / needed
    for s in range(len(held)):
        if change[s] > 0.0:
            cover = min(change[s], max(0.0, -held[s]))
            change[s] = cover + (change[s] - cover) * share
        held[s] = 0.0 if change[s] == -held[s] else held[s] + change[s]
    return cash - needed * share


@compiled
def run_shared(
    tape: Tape, capital: float, terms: Terms, fills: Fills, equity: Floats, paid: Floats
) -> tuple[int, int]:
    """Trade all symbols on one capital; as `run_sleeves`, but ``equity`` is one row and tape and ``paid`` go by time.

    At each open sales come first. Where the cash does not suffice for all that is to be bought, every purchase is
    cut by the same factor, so that the order of symbols does not matter.
    """
    price, close, traded, funding = tape.price, tape.close, tape.traded, tape.funding
    bars, symbols = price.shape
    cash, count, dropped = capital, 0, 0
    held, worth, nothing = np.zeros(symbols), np.zeros(symbols), np.zeros(symbols)
    wanted, acted, fresh = np.zeros(symbols), np.zeros(symbols), np.zeros(symbols, dtype=np.bool_)
    change, filled = np.zeros(symbols), np.zeros(symbols)
    for k in range(bars):
        if funding.size > 0:
            for s in range(symbols):
                if held[s] != 0.0 and price[k, s] == price[k, s]:
                    paid[k, s] = held[s] * price[k, s] * funding[k, s]
                    cash -= paid[k, s]
        if _hear(tape, k, terms, wanted, acted, fresh):
            total = cash + _value(held, price[k], worth)
            base = (total if terms.compounds else capital) if total > 0.0 else 0.0
            volume = traded[k - 1] if traded.size > 0 and k > 0 else nothing
            dropped += _shared_orders(
                price[k], volume, base, terms, wanted, acted, fresh, held, change, filled
            )
            cash = _settle(cash, held, change, filled, terms.fee_rate)
            for s in range(symbols):
                if change[s] != 0.0:
                    fee = abs(change[s]) * filled[s] * terms.fee_rate
                    _note(fills, count, s, k, change[s], price[k, s], filled[s], fee)
                    count += 1
        for s in range(symbols):
            if close[k, s] == close[k, s]:
                worth[s] = close[k, s]
        equity[0, k] = cash + _value(held, close[k], worth)
    return count, dropped
