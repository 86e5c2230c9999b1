"""Bars and targets as contiguous (symbol, time) arrays, matched by their labels, never by position."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from quantbus_contracts.errors import ContractError

__all__ = ["Market"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Market:
    """The bars of several symbols on one calendar; NaN where a symbol has no bar.

    ``open``, ``close`` and ``volume`` are (n_symbols, n_bars); ``times`` are bar opens (UTC), ascending, and
    ``symbols`` are sorted.
    """

    symbols: tuple[str, ...]
    times: pd.DatetimeIndex
    open: Floats
    close: Floats
    volume: Floats

    @classmethod
    def of(cls, panel: pd.DataFrame) -> Self:
        """Take the bars of a panel, indexed by (symbol, datetime = bar open time, UTC), in any order.

        Raises
        ------
        ContractError
            If a bar is there twice, or a price is no number above zero.
        """
        _require_labels(panel.index)
        if panel.empty:
            raise ContractError("expected bars to trade on, found none")
        symbols = tuple(sorted(map(str, panel.index.get_level_values(0).unique())))
        times = pd.DatetimeIndex(panel.index.get_level_values(1).unique()).sort_values()
        rows, columns = _places(panel.index, symbols, times)
        values = {name: _matrix(panel[name], rows, columns, symbols, times) for name in ("open", "close")}
        for name, matrix in values.items():
            wrong = ~(np.isfinite(matrix[rows, columns]) & (matrix[rows, columns] > 0))
            if wrong.any():
                label = panel.index[int(np.flatnonzero(wrong)[0])]
                raise ContractError(
                    f"expected {name} prices above zero, found {float(panel[name].loc[label])!r} at {label[0]} "
                    f"{label[1].isoformat()}"
                )
        volume = _matrix(panel["volume"], rows, columns, symbols, times)
        return cls(symbols, times, values["open"], values["close"], volume)

    def aligned(self, values: pd.Series | pd.DataFrame, what: str) -> Floats:
        """Return ``values`` (by (symbol, datetime), or datetime by symbol) as an array like the bars; NaN where none.

        Raises
        ------
        ContractError
            If a label is not that of a symbol and time of the bars, or is there twice.
        """
        if isinstance(values, pd.DataFrame):
            _require_known(values.columns, self.symbols, what)
            _require_known(values.index, self.times, what)
            return np.ascontiguousarray(
                values.reindex(index=self.times, columns=list(self.symbols)).to_numpy(np.float64).T
            )
        _require_labels(values.index)
        _require_known(values.index.get_level_values(0).unique(), self.symbols, what)
        _require_known(values.index.get_level_values(1).unique(), self.times, what)
        rows, columns = _places(values.index, self.symbols, self.times)
        return _matrix(values, rows, columns, self.symbols, self.times)


def _places(
    index: pd.Index, symbols: tuple[str, ...], times: pd.DatetimeIndex
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows = pd.Index(symbols).get_indexer(index.get_level_values(0))
    columns = times.get_indexer(pd.DatetimeIndex(index.get_level_values(1)))
    return rows, columns


def _matrix(
    values: pd.Series,
    rows: NDArray[np.intp],
    columns: NDArray[np.intp],
    symbols: tuple[str, ...],
    times: pd.DatetimeIndex,
) -> Floats:
    matrix = np.full((len(symbols), len(times)), np.nan)
    matrix[rows, columns] = values.to_numpy(np.float64)
    return matrix


def _require_labels(index: pd.Index) -> None:
    if index.nlevels != 2:
        raise ContractError(f"expected an index (symbol, datetime), found the levels {list(index.names)!r}")
    if pd.DatetimeIndex(index.get_level_values(1)).tz is None:
        raise ContractError("expected times in UTC, found times without a zone")
    if not index.is_unique:
        raise ContractError(f"expected each bar once, found {index[index.duplicated()][0]!r} twice")


def _require_known(found: pd.Index, known: pd.Index | tuple[str, ...], what: str) -> None:
    if not found.is_unique:
        raise ContractError(f"{what}: expected each label once, found {found[found.duplicated()][0]!r} twice")
    unknown = found.difference(pd.Index(known))
    if len(unknown):
        raise ContractError(
            f"{what}: expected labels of the bars, found {unknown[0]!r}, which is none of them"
        )
