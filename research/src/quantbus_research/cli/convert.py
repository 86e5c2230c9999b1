"""Bars to Qlib data."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_contracts.errors import ConfigError
from quantbus_research.cli.names import split_names

if TYPE_CHECKING:
    from quantbus_contracts.symbols import Instrument
    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.engine import BinStore
    from quantbus_research.workflows import BarSource

__all__ = ["app"]

app = typer.Typer()


@app.command()
def convert(
    pairs: Annotated[str, typer.Option(help="Pairs with commas: BTC/USDT,ETH/USDT or BTC/USDT:USDT.")],
    venue: Annotated[str, typer.Option(help="The exchange, as the bus spells it.")] = "BINANCE",
    timeframes: Annotated[str, typer.Option(help="With commas: 1h,15m. Days are always there.")] = "1h",
    start: Annotated[str | None, typer.Option(help="First day, of bars from the bus (2024-01-31).")] = None,
    end: Annotated[str | None, typer.Option(help="Last day, of bars from the bus; in whole.")] = None,
    from_freqtrade: Annotated[
        Path | None,
        typer.Option(
            help="Read Freqtrade's feather files below this folder (user_data/data/binance) instead."
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Write below this folder; default: qlib under QUANTBUS_HOME.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the manifest as JSON.")] = False,
) -> None:
    """Write Qlib data: calendars that never close, instruments, fields and a manifest.

    The same bars give the same folder, so doing it again writes nothing.

    \b
    Examples:
      quantbus research convert --pairs BTC/USDT,ETH/USDT --start 2024-01-01 --end 2024-03-31
      quantbus research convert --pairs BTC/USDT --timeframes 1h --from-freqtrade user_data/data/binance
    """
    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings
    from quantbus_contracts.symbols import Instrument
    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.workflows import convert as write_bins

    instruments = [Instrument.from_pair(venue, name) for name in split_names(pairs, "--pairs")]
    wanted = [Timeframe.parse(name) for name in split_names(timeframes, "--timeframes")]
    folder = out or load_settings(HomeSettings).home / "qlib"
    origin = str(from_freqtrade) if from_freqtrade is not None else "the bus"
    with _bars(instruments, from_freqtrade, start, end) as bars:
        store = write_bins(bars, instruments, wanted, folder, source=origin, now=SystemClock().now())
    if as_json:
        typer.echo(json.dumps(store.manifest.model_dump(mode="json") | {"folder": str(store.folder)}))
    else:
        _show(store, wanted)


@contextmanager
def _bars(
    instruments: "Sequence[Instrument]", freqtrade: Path | None, start: str | None, end: str | None
) -> "Iterator[BarSource]":
    from rich.console import Console

    from quantbus_contracts.market import MarketData
    from quantbus_research.workflows import from_freqtrade

    with Console(stderr=True).status("reading bars, writing Qlib data"):
        if freqtrade is not None:
            if start is not None or end is not None:
                raise ConfigError(
                    "--start and --end: expected without --from-freqtrade, whose files are read whole"
                )
            yield from_freqtrade(freqtrade, instruments)
            return
        if start is None or end is None:
            raise ConfigError(
                "--start and --end: expected both for bars from the bus, such as --start 2024-01-01"
            )
        first, last = start, end
        with MarketData.from_env() as data:
            symbols = [item.symbol for item in instruments]
            yield lambda timeframe: data.get_market_data(symbols, first, last, timeframe=timeframe)


def _show(store: "BinStore", wanted: "Sequence[Timeframe]") -> None:
    from rich.console import Console
    from rich.table import Table

    manifest = store.manifest
    table = Table(
        "timeframe", "in Qlib", "instruments", "bars", "missing", "from", "to", title=manifest.bins_id
    )
    for name, period in manifest.frequencies.items():
        table.add_row(
            period.timeframe,
            name,
            str(len(period.bars)),
            f"{sum(period.bars.values()):,}",
            f"{sum(period.missing.values()):,}",
            f"{period.first_open_time:%Y-%m-%d %H:%M}",
            f"{period.last_open_time:%Y-%m-%d %H:%M}",
        )
    console = Console()
    console.print(table)
    console.print(f"written to {store.folder}", soft_wrap=True, highlight=False)
    if all(frame.name != "1d" for frame in wanted):
        console.print("days are made of the coarsest timeframe: Qlib looks benchmarks up by the day first")
