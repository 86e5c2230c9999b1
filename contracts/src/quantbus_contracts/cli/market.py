"""``quantbus market``: read bars, keep snapshots of them, seal past days for reading."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from quantbus_contracts.cli.arguments import Json
from quantbus_contracts.cli.connecting import opened
from quantbus_contracts.errors import ConfigError

if TYPE_CHECKING:
    from quantbus_contracts.market import MarketQuery
    from quantbus_contracts.mongo.block_sealer import SealReport

__all__ = ["app"]

app = typer.Typer(help="Read closed bars, keep snapshots of them, seal past days.", no_args_is_help=True)

Symbols = Annotated[
    str, typer.Argument(help="Symbols with commas: BINANCE:BTCUSDT,BINANCE:ETH/USDT.", show_default=False)
]
Start = Annotated[str, typer.Option(help="First day (2024-01-31, in whole), or an instant with its zone.")]
End = Annotated[str, typer.Option(help="Last day (in whole), or the instant before which bars open.")]
Frame = Annotated[str, typer.Option("--timeframe", help="1m to 1d.")]
Fields = Annotated[str | None, typer.Option(help="Out of open,high,low,close,volume; all where not given.")]
MadeFrom = Annotated[str | None, typer.Option("--made-from", help="Make the bars of finer stored ones: 1m.")]
Partial = Annotated[
    Literal["drop", "keep"], typer.Option(help="What becomes of a made bar that lacks finer ones.")
]


@app.command()
def get(
    symbols: Symbols,
    start: Start,
    end: End,
    timeframe: Frame = "1d",
    fields: Fields = None,
    made_from: MadeFrom = None,
    partial: Partial = "drop",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="Write to this file instead: .csv or .parquet.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Show at most so many bars, the newest.")] = 20,
    as_json: Json = False,
) -> None:
    """Show bars, or write them to a file.

    \b
    Examples:
      quantbus market get BINANCE:BTCUSDT --start 2024-01-01 --end 2024-01-31
      quantbus market get BINANCE:BTCUSDT --start 2024-01-01 --end 2024-01-31 --timeframe 1h -o bars.parquet
    """
    from quantbus_contracts.cli.market_screens import bars_json, bars_table, write_bars
    from quantbus_contracts.market import MarketData

    if output is not None and output.suffix not in (".csv", ".parquet"):
        raise ConfigError(f"--output: expected a name that ends in .csv or .parquet, found {str(output)!r}")
    query = _query(symbols, start, end, timeframe, fields, made_from, partial)
    with opened() as (connection, _):
        table = MarketData(connection).read(query, as_="arrow")
    console = Console()
    if output is not None:
        write_bars(table, output)
        if as_json:
            console.print_json(data={"file": str(output), "rows": len(table), "query": query.as_dict()})
        else:
            console.print(f"{len(table):,} bars written to {output}", soft_wrap=True)
    elif as_json:
        typer.echo(bars_json(table))
    else:
        console.print(bars_table(table, limit))


@app.command()
def snapshot(
    symbols: Symbols,
    start: Start,
    end: End,
    timeframe: Frame = "1d",
    fields: Fields = None,
    made_from: MadeFrom = None,
    partial: Partial = "drop",
    folder: Annotated[
        Path | None, typer.Option(help="Where snapshots are kept; default: snapshots under QUANTBUS_HOME.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Keep bars as Parquet under an id that follows from the question and the bars, and from nothing else.

    The same command over the same bars gives the same id and writes nothing.

    \b
    Example:
      quantbus market snapshot BINANCE:BTCUSDT --start 2024-01-01 --end 2024-12-31 --timeframe 1h
    """
    from quantbus_contracts.cli.market_screens import snapshot_table
    from quantbus_contracts.market import MarketData

    query = _query(symbols, start, end, timeframe, fields, made_from, partial)
    with opened() as (connection, _):
        held = MarketData(connection).take(query, folder)
    console = Console()
    if as_json:
        console.print_json(data=held.meta.model_dump(mode="json") | {"folder": str(held.folder)})
    else:
        console.print(snapshot_table(held))


@app.command()
def seal(
    symbols: Annotated[
        str | None, typer.Argument(help="Symbols with commas; all that have bars where not given.")
    ] = None,
    timeframe: Annotated[
        str, typer.Option("--timeframe", help="Timeframes with commas; all that have bars where not given.")
    ] = "",
    check: Annotated[
        bool, typer.Option("--check", help="Compare what is sealed with its rows, and mend what differs.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Pack the bars of whole past days into blocks, which are read many times faster than rows.

    May be run at any time and again: days that are sealed stay so, a bar that changes opens its day again. The bus's
    user must be one that may write bars. Exit 1 if --check found a block that was not what its rows are, or a day
    could not be sealed because its bars went on changing.

    \b
    Examples:
      quantbus market seal
      quantbus market seal BINANCE:BTCUSDT --timeframe 1m --check
    """
    from quantbus_contracts.cli.market_screens import seal_progress, seal_table
    from quantbus_contracts.market import MarketQuery
    from quantbus_contracts.mongo.block_sealer import BlockSealer
    from quantbus_contracts.mongo.candle_reader import CandleReader
    from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe

    frames = [Timeframe.parse(name) for name in (_list(timeframe) or SUPPORTED_TIMEFRAMES)]
    given = MarketQuery.of(_list(symbols), "20240101", "20240101").symbols if symbols else None
    reports: list[SealReport] = []
    with opened() as (connection, _):
        stored = {frame: CandleReader(connection).last_open_times(frame) for frame in frames}
        series = [
            (name, frame)
            for frame in frames
            for name in sorted(stored[frame])
            if given is None or name in given
        ]
        absent = sorted(set(given or ()) - {name for name, _ in series})
        if absent:
            raise ConfigError(f"expected symbols that have bars, found {', '.join(absent)} without any")
        sealer = BlockSealer(connection)
        for name, frame in seal_progress(series):
            reports.append(sealer.seal(name, frame, check=check))
    console = Console()
    if as_json:
        console.print_json(data={"series": [report.as_dict() for report in reports]})
    else:
        console.print(seal_table(reports))
    raise typer.Exit(1 if any(report.damaged or report.contended for report in reports) else 0)


def _list(text: str | None) -> list[str]:
    return [part.strip() for part in (text or "").split(",") if part.strip()]


def _query(
    symbols: str,
    start: str,
    end: str,
    timeframe: str,
    fields: str | None,
    made_from: str | None,
    partial: str,
) -> "MarketQuery":
    from quantbus_contracts.market import MarketQuery

    return MarketQuery.of(
        _list(symbols),
        start,
        end,
        _list(fields) if fields is not None else None,
        timeframe,
        made_from=made_from,
        partial="keep" if partial == "keep" else "drop",
    )
