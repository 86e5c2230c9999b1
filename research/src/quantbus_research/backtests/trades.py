"""Orders put together as positions: from flat to flat, with what each brought in."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_research.backtests.market import Market

__all__ = ["trades_of"]

_COLUMNS = (
    *("symbol", "side", "opened_at", "closed_at", "entry_price", "exit_price"),
    *("units", "cost", "profit", "profit_ratio"),
)


@dataclass(slots=True)
class _Open:
    """A position while it lasts. ``bought`` is what its entries cost (a short's brought in), fees included."""

    side: int
    first_bar: int
    entered: float = 0.0
    entry_value: float = 0.0
    left: float = 0.0
    exit_value: float = 0.0
    fees_in: float = 0.0
    fees_out: float = 0.0


def trades_of(fills: pd.DataFrame, market: Market, funding_paid: NDArray[np.float64]) -> pd.DataFrame:
    """Return one row a position, those still open last valued at the last close, without a ``closed_at``.

    ``cost`` is the value of the entry with its fee (less its fee for a short), ``profit`` what came of it after all
    costs and funding, and ``profit_ratio`` the second over the first, as Freqtrade reckons it. An order that turns a
    position round counts as one that ends it and one that begins the next, its fee divided by units.
    """
    rows = []
    for number, part in fills.groupby("symbol", sort=True):
        symbol = int(str(number))
        paid = np.cumsum(funding_paid[symbol]) if funding_paid.size else None
        rows += [_row(trade, bar, symbol, market, paid) for trade, bar in _positions(part)]
    frame = pd.DataFrame(rows, columns=_COLUMNS)
    for name in ("opened_at", "closed_at"):
        frame[name] = (
            pd.DatetimeIndex(frame[name], tz="UTC") if frame.empty else pd.to_datetime(frame[name], utc=True)
        )
    return frame.sort_values(["opened_at", "symbol"], kind="stable", ignore_index=True)


def _positions(fills: pd.DataFrame) -> Iterator[tuple[_Open, int | None]]:
    held, trade = 0.0, None
    columns = (fills[name].to_numpy() for name in ("bar", "units", "price", "fee"))
    for bar, units, price, fee in zip(*columns, strict=True):
        leaving = min(abs(units), abs(held)) if trade is not None and units * held < 0 else 0.0
        entering = abs(units) - leaving
        after = 0.0 if units == -held else held + units
        if trade is not None and leaving:
            trade.left += leaving
            trade.exit_value += leaving * price
            trade.fees_out += fee * leaving / abs(units)
            if after * held <= 0:
                yield trade, int(bar)
                trade = None
        if entering:
            trade = trade or _Open(side=1 if units > 0 else -1, first_bar=int(bar))
            trade.entered += entering
            trade.entry_value += entering * price
            trade.fees_in += fee * entering / abs(units)
        held = after
    if trade is not None:
        yield trade, None


def _row(
    trade: _Open, bar: int | None, symbol: int, market: Market, paid: NDArray[np.float64] | None
) -> dict[str, object]:
    exit_value = trade.exit_value
    last = len(market.times) - 1 if bar is None else bar
    if bar is None:
        closes = market.close[symbol]
        exit_value += (trade.entered - trade.left) * float(closes[~np.isnan(closes)][-1])
    funding = 0.0 if paid is None else float(paid[last] - paid[trade.first_bar])
    cost = trade.entry_value + trade.side * trade.fees_in
    profit = trade.side * (exit_value - trade.entry_value) - trade.fees_in - trade.fees_out - funding
    return {
        "symbol": market.symbols[symbol],
        "side": "long" if trade.side > 0 else "short",
        "opened_at": market.times[trade.first_bar],
        "closed_at": pd.NaT if bar is None else market.times[bar],
        "entry_price": trade.entry_value / trade.entered,
        "exit_price": exit_value / trade.entered,
        "units": trade.entered,
        "cost": cost,
        "profit": profit,
        "profit_ratio": profit / cost,
    }
