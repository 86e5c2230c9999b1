"""Observations as pandas frames, and the basis of two bars."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

import numpy as np
import numpy.typing as npt
import pandas as pd

from quantbus_contracts.mongo.observations import ObservationStore, range_query
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.schema import (
    DEPTH_LEVELS,
    DepthSnapshot,
    FundingRate,
    MarkPrice,
    Observation,
    OpenInterest,
)

__all__ = ["basis_of", "observation_frame"]

_BPS = 10_000.0
_SIDES = ("bid", "ask", "imbalance")
Floats = npt.NDArray[np.float64]
Columns = dict[str, Floats | pd.DatetimeIndex]


def observation_frame(
    store: ObservationStore, kind: type[Observation], symbols: Sequence[str], start: datetime, end: datetime
) -> pd.DataFrame:
    """Return the observations of several symbols in ``[start, end)``.

    Returns
    -------
    DataFrame (n_observations, n_values)
        Index (symbol, datetime), ``datetime64[ms, UTC]``, sorted. Columns, all float64 and NaN where not observed:

        - `FundingRate`: rate
        - `MarkPrice`: mark, index, premium (mark - index), premium_bps (of the index), funding_rate (the estimate
          for the next settlement), next_funding_at (``datetime64[ms, UTC]``)
        - `OpenInterest`: amount (base), value (quote)
        - `DepthSnapshot`: bid, ask, mid, spread, spread_bps, and for every level bid_<level>, ask_<level>
          (quote), imbalance_<level>

        Typed also when empty.
    """
    rows = [
        row
        for symbol in dict.fromkeys(symbols)
        for row in store.connection.run(_rows(kind.collection, symbol, start, end))
    ]
    index = pd.MultiIndex.from_arrays(
        [
            pd.Index([row["symbol"] for row in rows], dtype="object", name="symbol"),
            _times([row["datetime"] for row in rows]).rename("datetime"),
        ]
    )
    return pd.DataFrame(_COLUMNS[kind.kind](rows), index=index).sort_index()


def basis_of(bars: pd.DataFrame, perpetual: str, spot: str) -> pd.DataFrame:
    """Return how far a derivative traded from its spot market at the close of the same bar.

    ``bars`` has the index (symbol, datetime) and a column close. Only bars that both markets have are compared:
    where one leg is missing there is no row, never the other leg beside an older price.

    Returns
    -------
    DataFrame (n_bars, 4)
        Index datetime, the bars' OPEN time: a row is known from open + timeframe on. Columns perpetual and spot
        (closes), basis (perpetual - spot, quote currency), basis_bps (of the spot price).
    """
    names = bars.index.get_level_values("symbol")
    closes = [bars.loc[names == symbol, "close"].droplevel("symbol") for symbol in (perpetual, spot)]
    frame = pd.concat(closes, axis=1, join="inner", keys=["perpetual", "spot"]).sort_index()
    frame["basis"] = frame["perpetual"] - frame["spot"]
    frame["basis_bps"] = frame["basis"] / frame["spot"] * _BPS
    return frame


def _rows(collection: str, symbol: str, start: datetime, end: datetime) -> Steps[list[Row]]:
    rows: list[Row] = yield find(
        collection, range_query(symbol, start, end), {"_id": 0, "ingested_at": 0}, batch_size=10_000
    )
    return rows


def _times(moments: Sequence[datetime | None]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(pd.to_datetime(np.array(moments, dtype="object"), utc=True)).as_unit("ms")


def _numbers(rows: Sequence[Row], *names: str) -> dict[str, Floats]:
    return {name: np.array([row.get(name, np.nan) for row in rows], dtype="float64") for name in names}


def _funding(rows: Sequence[Row]) -> Columns:
    return {**_numbers(rows, "rate")}


def _mark(rows: Sequence[Row]) -> Columns:
    prices = _numbers(rows, "mark", "index")
    premium = prices["mark"] - prices["index"]
    return {
        **prices,
        "premium": premium,
        "premium_bps": premium / prices["index"] * _BPS,
        **_numbers(rows, "funding_rate"),
        "next_funding_at": _times([row.get("next_funding_at") for row in rows]),
    }


def _open_interest(rows: Sequence[Row]) -> Columns:
    return {**_numbers(rows, "amount", "value")}


def _depth(rows: Sequence[Row]) -> Columns:
    levels = [{level["within"]: level for level in row["levels"]} for row in rows]
    return {
        **_numbers(rows, "bid", "ask", "mid", "spread", "spread_bps"),
        **{
            f"{side}_{within}": np.array(
                [of_row.get(within, {}).get(side, np.nan) for of_row in levels], dtype="float64"
            )
            for within in DEPTH_LEVELS
            for side in _SIDES
        },
    }


_COLUMNS: Mapping[str, Callable[[Sequence[Row]], Columns]] = {
    FundingRate.kind: _funding,
    MarkPrice.kind: _mark,
    OpenInterest.kind: _open_interest,
    DepthSnapshot.kind: _depth,
}
