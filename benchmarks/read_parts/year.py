"""A year of 1m bars of one symbol into a frame: the usual way, rows, blocks, Parquet and Feather."""

import cProfile
import io
import pstats
import tempfile
from datetime import timedelta
from pathlib import Path

import pandas as pd
from bus_parts.ground import Ground, Results
from pandas.testing import assert_frame_equal

from quantbus_contracts import MarketData, Timeframe
from quantbus_contracts.bar_arrays import FIELDS
from quantbus_contracts.market.tables import as_pandas
from quantbus_contracts.mongo.bar_reader import read_rows
from quantbus_contracts.mongo.block_sealer import BlockSealer
from quantbus_contracts.mongo.candle_writer import CandleWriter
from read_parts.ground import END, Tick, naive, side_by_side, store

SYMBOL, MINUTE = "BINANCE:BTCUSDT", Timeframe.parse("1m")


def measure(ground: Ground, results: Results, *, days: int, rounds: int, tick: Tick, profile: bool) -> str:
    """Measure; return the profile of one reading of blocks, if that was asked for."""
    with ground.fresh() as connection, tempfile.TemporaryDirectory() as folder:
        tick("storing a year of minutes")
        start = store(connection, SYMBOL, MINUTE, days, seed=1)
        rows = days * 1440
        data = MarketData(connection)

        def plain() -> pd.DataFrame:
            return naive(connection, MINUTE, {"symbol": SYMBOL}, list(FIELDS))

        def from_rows() -> pd.DataFrame:
            parts = connection.run(read_rows([SYMBOL], MINUTE, start, END, FIELDS))
            return as_pandas(parts, FIELDS, MINUTE)

        def ours() -> pd.DataFrame:
            frame: pd.DataFrame = data.get_crypto_min_data(SYMBOL, start, END)
            return frame

        tick("sealing")
        BlockSealer(connection).seal(SYMBOL, MINUTE)
        tick("writing files")
        whole = ours()
        assert_frame_equal(whole, from_rows())
        flat = whole.reset_index()
        parquet, feather = Path(folder) / "bars.parquet", Path(folder) / "bars.feather"
        flat.to_parquet(parquet, compression="snappy")
        flat.to_feather(feather, compression="lz4")
        held = data.snapshot(SYMBOL, start, END, timeframe="1m", folder=Path(folder))
        usual, sealed = "list(find) into a frame", "get_crypto_min_data, all days sealed"
        ways = {
            usual: plain,
            "row reader": from_rows,
            sealed: ours,
            "get_crypto_min_data, close only": lambda: data.get_crypto_min_data(SYMBOL, start, END, "close"),
            "get_crypto_min_data as Arrow": lambda: data.get_crypto_min_data(SYMBOL, start, END, as_="arrow"),
            "snapshot, verified by its hash": held.table,
            "Parquet snappy": lambda: pd.read_parquet(parquet),
            "Feather lz4": lambda: pd.read_feather(feather),
        }
        figures = side_by_side(results, ways, rows, rounds, tick, base=usual)
        results.ratio(f"{sealed} / Parquet snappy", figures[sealed], figures["Parquet snappy"])
        results.ratio(
            "snapshot / Parquet snappy", figures["snapshot, verified by its hash"], figures["Parquet snappy"]
        )
        told = _profile(ours) if profile else ""
        tick("opening the last day")
        last = END - timedelta(minutes=1)
        CandleWriter(connection).write_bars(SYMBOL, MINUTE, "bench", [(last, 1.0, 2.0, 0.5, 1.5, 1.0)])
        assert_frame_equal(ours(), from_rows())
        opened = {usual: plain, "get_crypto_min_data, the last day open": ours}
        side_by_side(results, opened, rows, rounds, tick, base=usual)
        _sizes(results, connection, rows)
    return told


def _sizes(results: Results, connection: "object", rows: int) -> None:
    client, names = connection.client, connection.names  # type: ignore[attr-defined]
    for name in ("crypto_market_1m", "crypto_blocks"):
        stats = client[names.of(name)].command("collStats", name)
        disk, plain = stats["storageSize"] / rows, stats["size"] / rows
        results.notes.append(f"{name}: {disk:.0f} bytes a bar on disk, {plain:.0f} before compression")


def _profile(work: object) -> str:
    profiler = cProfile.Profile()
    profiler.runcall(work)  # type: ignore[arg-type]
    told = io.StringIO()
    pstats.Stats(profiler, stream=told).sort_stats("cumulative").print_stats(25)
    return told.getvalue()
