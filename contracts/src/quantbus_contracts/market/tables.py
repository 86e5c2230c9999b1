"""Bars of many symbols as one table: pandas, Arrow or polars; typed also when empty."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from quantbus_contracts.bar_arrays import BarArrays, Floats, Integers
from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.market.query import Form
from quantbus_contracts.timeframe import Timeframe

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl
    import pyarrow as pa

__all__ = ["as_arrow", "as_pandas", "as_polars", "known_form", "table_of"]

Parts = Mapping[str, BarArrays]


def known_form(form: str) -> Form:
    """Return the name of a form of tables.

    Raises
    ------
    ContractError
        If there is no such form.
    """
    for known in get_args(Form):
        if form == known:
            return known  # type: ignore[no-any-return]  # get_args has no types
    raise ContractError(
        f"expected as_ out of {', '.join(get_args(Form))}, found {form!r}", field="as_", value=form
    )


def table_of(parts: Parts, fields: Sequence[str], timeframe: Timeframe, form: Form) -> Any:  # noqa: ANN401
    """Return the bars as a table of the wanted form; symbols in the order of ``parts``."""
    match form:
        case "pandas":
            return as_pandas(parts, fields, timeframe)
        case "arrow":
            return as_arrow(parts, fields)
        case "polars":
            return as_polars(parts, fields)


def as_pandas(parts: Parts, fields: Sequence[str], timeframe: Timeframe) -> "pd.DataFrame":
    """Return a frame (n_bars, n_fields) of float64; index (symbol, datetime), open times as ``datetime64[ms, UTC]``."""
    import pandas as pd

    filled = {symbol: bars for symbol, bars in parts.items() if len(bars)}
    total = sum(len(bars) for bars in filled.values())
    numbers = np.empty((len(fields), total))
    for row, name in enumerate(fields):
        np.concatenate([np.empty(0), *(bars.columns[name] for bars in filled.values())], out=numbers[row])
    times, codes = _times_and_codes(filled, timeframe)
    counts = [len(bars) for bars in filled.values()]
    moments = pd.DatetimeIndex(times.view("datetime64[ms]")).tz_localize("UTC")
    index = pd.MultiIndex(
        levels=[pd.Index(list(filled), dtype="object"), moments],  # type: ignore[list-item]  # any index will do
        codes=[np.repeat(np.arange(len(filled)), counts), codes],  # type: ignore[list-item]  # arrays, not lists
        names=["symbol", "datetime"],
        verify_integrity=False,
    )
    return pd.DataFrame(numbers.T, index=index, columns=list(fields), copy=False)


def _times_and_codes(filled: Parts, timeframe: Timeframe) -> tuple[Integers, Integers]:
    """Return the distinct open times in order, and for each bar which of them is its own."""
    if not filled:
        return np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    each = [bars.open_times_ms for bars in filled.values()]
    if len(each) == 1:
        return each[0], np.arange(len(each[0]))
    step = timeframe.seconds * 1000
    first = min(int(times[0]) for times in each)
    steps = (np.concatenate(each) - first) // step
    present = np.zeros(int(steps.max()) + 1, dtype=bool)
    present[steps] = True
    places: Integers = np.cumsum(present) - 1
    return np.flatnonzero(present) * step + first, places[steps]


def as_arrow(parts: Parts, fields: Sequence[str]) -> "pa.Table":
    """Return a table of symbol (dictionary of strings), datetime (``timestamp[ms, UTC]``) and fields (float64)."""
    import pyarrow as pa

    counts = [len(bars) for bars in parts.values()]
    codes = pa.array(np.repeat(np.arange(len(parts), dtype=np.int32), counts))
    symbols = pa.DictionaryArray.from_arrays(codes, pa.array(list(parts), pa.string()))
    times = _joined([bars.open_times_ms for bars in parts.values()], np.int64)
    columns = [
        symbols,
        pa.array(times.view("datetime64[ms]")).cast(pa.timestamp("ms", "UTC")),
        *(pa.array(_joined([bars.columns[name] for bars in parts.values()], np.float64)) for name in fields),
    ]
    return pa.table(columns, names=["symbol", "datetime", *fields])


def as_polars(parts: Parts, fields: Sequence[str]) -> "pl.DataFrame":
    """Return a frame of symbol (String), datetime (``Datetime('ms', 'UTC')``) and fields (Float64).

    Raises
    ------
    ConfigError
        If polars is not installed.
    """
    try:
        import polars as pl
    except ModuleNotFoundError:
        raise ConfigError(
            "as_='polars' needs polars, which is not installed; install quantbus-contracts[polars]"
        ) from None
    frame = pl.from_arrow(as_arrow(parts, fields))
    assert isinstance(frame, pl.DataFrame)  # noqa: S101  # of a table, not of a column
    return frame.with_columns(pl.col("symbol").cast(pl.String))


def _joined(columns: Sequence[Any], kind: type) -> Floats:
    joined: Floats = np.concatenate([np.empty(0, dtype=kind), *columns])
    return joined
