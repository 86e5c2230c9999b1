"""Reads positions from a file: what somebody else's program would have held at the close of each bar."""

from pathlib import Path

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument

__all__ = ["read_positions"]

_TIMES = ("datetime", "ts", "date")
_NAMES = ("symbol", "pair")


def read_positions(path: Path, venue: str, pair: str | None = None) -> pd.Series:
    """Return the column ``position`` by (symbol, datetime = bar open time, UTC).

    Parameters
    ----------
    path
        CSV or Parquet with columns datetime (or ts, or date; with a time zone, or taken for UTC), position, and, for
        more than one market, pair (``BTC/USDT``) or symbol (``BINANCE:BTCUSDT``).
    pair
        Whose positions they are, where the file does not say.

    Raises
    ------
    ConfigError
        If the file cannot be read, lacks a column, or says something twice.
    """
    table = _table(path)
    time = next((name for name in _TIMES if name in table), None)
    if time is None or "position" not in table:
        raise ConfigError(
            f"expected the columns datetime and position in {path}, found {', '.join(map(str, table.columns))}"
        )
    symbols = _symbols(table, path, venue, pair)
    try:
        opened = pd.DatetimeIndex(pd.to_datetime(table[time], utc=True, format="ISO8601")).as_unit("ms")
        values = pd.to_numeric(table["position"]).to_numpy("float64")
    except (ValueError, TypeError) as error:
        raise ConfigError(f"expected times and numbers in {path}: {error}") from None
    index = pd.MultiIndex.from_arrays([symbols, opened], names=["symbol", "datetime"])
    if not index.is_unique:
        raise ConfigError(
            f"expected each bar once in {path}, found {index[index.duplicated()][0]!r} twice; a file of several "
            "markets needs a column pair or symbol"
        )
    return pd.Series(values, index=index, name="position").sort_index()


def _table(path: Path) -> pd.DataFrame:
    try:
        table = pd.read_parquet(path) if path.suffix == ".parquet" else pd.read_csv(path)
    except (OSError, ValueError) as error:
        raise ConfigError(f"cannot read the positions in {path}: {error}") from None
    if table.empty:
        raise ConfigError(f"expected positions in {path}, found none")
    return table.reset_index() if table.index.names != [None] else table


def _symbols(table: pd.DataFrame, path: Path, venue: str, pair: str | None) -> list[str]:
    column = next((name for name in _NAMES if name in table), None)
    if column is None and pair is None:
        raise ConfigError(
            f"expected a column pair or symbol in {path}, or --pair to say whose positions they are"
        )
    if column is None or pair is not None:
        return [Instrument.from_pair(venue, str(pair)).symbol] * len(table)
    names = table[column].astype(str)
    if column == "symbol":
        return names.tolist()
    known = {name: Instrument.from_pair(venue, name).symbol for name in names.unique()}
    return [known[name] for name in names]
