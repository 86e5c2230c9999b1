"""What ``quantbus paper-exchange serve`` can be told, with the help of each option."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "AccountFile",
    "Accounts",
    "Anchor",
    "AnchorFile",
    "Data",
    "Events",
    "Faults",
    "FromBus",
    "Futures",
    "Gaps",
    "History",
    "Host",
    "Port",
    "Quiet",
    "ReadyFile",
    "Seed",
    "Speed",
    "Start",
    "State",
    "Symbols",
    "Timeframe",
    "Venue",
]

Port = Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. [8711]")]
Host = Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")]
Data = Annotated[
    list[Path] | None, typer.Option(help="Parquet file or folder of them to replay; may be given again.")
]
FromBus = Annotated[bool | None, typer.Option("--from-bus", help="Replay the candles stored in MongoDB.")]
Symbols = Annotated[str | None, typer.Option(help="Pairs to list: BTC/USDT,ETH/USDT.")]
Venue = Annotated[str | None, typer.Option(help="Exchange whose recordings are replayed. [BINANCE]")]
Timeframe = Annotated[str | None, typer.Option(help="Bars to replay; coarser ones are built. [1m]")]
Seed = Annotated[int | None, typer.Option(help="Seed of what is made up: bars, basis, open interest. [1]")]
History = Annotated[
    str | None,
    typer.Option(help="How much lies behind now at the start, such as 36h or 10d. [2d; made up: 30d]"),
]
Speed = Annotated[
    float | None,
    typer.Option(help="How fast the exchange's clock runs; at 60 a minute's bar closes every second. [1]"),
]
Start = Annotated[
    str | None, typer.Option(help="What its clock shows at first: 2025-03-01T00:00:00Z; without it, now.")
]
Anchor = Annotated[
    str | None,
    typer.Option(
        help="Wall clock's time at which its clock began; the same one keeps its place; without it, now."
    ),
]
AnchorFile = Annotated[
    Path | None, typer.Option(help="Keep the first start's anchor here, and go on from it after a restart.")
]
Gaps = Annotated[float | None, typer.Option(help="Share of made-up minutes that are missing. [0]")]
Quiet = Annotated[float | None, typer.Option(help="Share of made-up minutes without a trade. [0]")]
Futures = Annotated[
    bool | None,
    typer.Option("--futures/--no-futures", help="List perpetual swaps of the pairs; without either, yes."),
]
Events = Annotated[
    Path | None,
    typer.Option(help="JSON list of market events: listing, delisting, removal, rename, tick change."),
]
Accounts = Annotated[
    bool | None, typer.Option("--accounts", help="Take orders of API-key accounts; see `accounts create`.")
]
AccountFile = Annotated[
    Path | None, typer.Option(help="JSON list of accounts to open, with keys; implies --accounts.")
]
State = Annotated[
    Path | None,
    typer.Option(help="Keep accounts and orders in this file over restarts; implies --accounts. [memory]"),
]
Faults = Annotated[
    list[str] | None,
    typer.Option(help="A fault that is on from the start: 'rate_limited share=0.05'; may be given again."),
]
ReadyFile = Annotated[
    Path | None, typer.Option(help="Where to write address, pid and kind of data once clients may connect.")
]
