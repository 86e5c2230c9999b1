"""What came of a backtest: the equity, every order, and what follows from the two."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests.market import Market
from quantbus_research.backtests.trades import trades_of
from quantbus_research.costs import CostModel

__all__ = ["Backtest"]

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Backtest:
    """A run of the engine. Money is in quote currency; every bar is named by its open and valued at its close.

    Attributes
    ----------
    worth
        (n_symbols, n_bars), or (1, n_bars) on one shared capital.
    fills
        One row an order: number of symbol and bar, signed units, the price before and after costs, the fee.
    funding_paid
        (n_symbols, n_bars), empty where no funding was given.
    dropped_entries
        Entries that were below the least order.
    """

    market: Market
    timeframe: Timeframe
    costs: CostModel
    capital: float
    worth: Floats
    fills: pd.DataFrame
    funding_paid: Floats
    dropped_entries: int

    @property
    def equity(self) -> pd.Series:
        """Return the whole account's worth at each bar's close."""
        return pd.Series(self.worth.sum(axis=0), index=self.market.times, name="equity")

    @property
    def sleeves(self) -> pd.DataFrame:
        """Return the worth of each symbol's own capital, datetime by symbol; if shared, one column."""
        names = list(self.market.symbols) if len(self.worth) == len(self.market.symbols) else ["account"]
        return pd.DataFrame(self.worth.T, index=self.market.times, columns=names)

    @cached_property
    def units(self) -> Floats:
        """Units held at each bar's close (n_symbols, n_bars)."""
        return np.cumsum(self._scattered(self.fills["units"].to_numpy()), axis=1)

    @cached_property
    def values(self) -> Floats:
        """Worth of what is held at each bar's close, short positions below zero (n_symbols, n_bars)."""
        worth = pd.DataFrame(self.market.close.T).ffill().to_numpy().T
        held = np.where(np.abs(self.units) > 1e-12, self.units, 0.0)
        return np.where(held == 0.0, 0.0, held * np.nan_to_num(worth))

    @cached_property
    def profits(self) -> pd.DataFrame:
        """Return what each symbol has brought in so far, costs and funding paid; datetime by symbol."""
        fills = self.fills
        spent = self._scattered((fills["units"] * fills["price"] + fills["fee"]).to_numpy())
        if self.funding_paid.size:
            spent = spent + self.funding_paid
        brought_in = self.values - np.cumsum(spent, axis=1)
        return pd.DataFrame(brought_in.T, index=self.market.times, columns=list(self.market.symbols))

    @cached_property
    def orders(self) -> pd.DataFrame:
        """Return every order: symbol, time, signed units, value at the price before costs, price, fee, slippage."""
        fills = self.fills
        slippage = (fills["units"] * (fills["price"] - fills["reference"])).to_numpy()
        return pd.DataFrame(
            {
                "symbol": np.array(self.market.symbols, dtype=object)[fills["symbol"].to_numpy()],
                "time": self.market.times[fills["bar"].to_numpy()],
                "units": fills["units"],
                "value": fills["units"].abs() * fills["reference"],
                "price": fills["price"],
                "fee": fills["fee"],
                "slippage": slippage,
            }
        )

    @cached_property
    def trades(self) -> pd.DataFrame:
        """Return every position from flat to flat; see `trades_of`."""
        return trades_of(self.fills, self.market, self.funding_paid)

    @property
    def traded_value(self) -> Floats:
        """Value of the orders of each bar, all symbols together (n_bars,)."""
        value = (self.fills["units"].abs() * self.fills["reference"]).to_numpy()
        return np.asarray(self._scattered(value).sum(axis=0), dtype=np.float64)

    def _scattered(self, amounts: Floats) -> Floats:
        matrix = np.zeros(self.market.close.shape)
        np.add.at(matrix, (self.fills["symbol"].to_numpy(), self.fills["bar"].to_numpy()), amounts)
        return matrix
