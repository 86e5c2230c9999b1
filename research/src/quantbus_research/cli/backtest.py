"""Backtests: of signals that stand on the bus, or of positions in a file."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_contracts.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd

    from quantbus_contracts.mongo.client import Connection
    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.workflows import Outcome, Terms

__all__ = [
    "FIRST",
    "Delay",
    "Fee",
    "Frame",
    "PublishedAfter",
    "Short",
    "Spread",
    "app",
    "bars_of",
    "connected",
    "funding_of",
]

app = typer.Typer()

FIRST = datetime(2009, 1, 3, tzinfo=UTC)

Signals = Annotated[
    str | None, typer.Option(metavar="STRATEGY_ID", help="Follow what this strategy said on the bus.")
]
Positions = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="CSV or Parquet: datetime, position (0 or 1), pair or symbol."),
]
Start = Annotated[str | None, typer.Option(help="First day (2024-01-31); by default the first signal's.")]
End = Annotated[str | None, typer.Option(help="Last day, in whole; by default today.")]
PublishedAfter = Annotated[
    float | None,
    typer.Option(
        min=0, metavar="SECONDS", help="Take each signal as if published live so long after its bar's close."
    ),
]
Frame = Annotated[
    str | None,
    typer.Option("--timeframe", help="Of the bars traded on; by default that of the signals, or 1h."),
]
Venue = Annotated[str, typer.Option(help="The exchange of the positions, as the bus spells it.")]
Pair = Annotated[str | None, typer.Option(help="Whose positions they are, where the file does not say.")]
Capital = Annotated[float, typer.Option(help="In quote currency.")]
Shared = Annotated[
    bool, typer.Option("--shared", help="One balance for all pairs; otherwise each has an equal part.")
]
Stake = Annotated[
    float | None,
    typer.Option(min=0, max=1, help="Share of the capital that a signal without a weight stakes."),
]
Short = Annotated[bool, typer.Option("--short", help="Short positions can be held.")]
Fee = Annotated[float, typer.Option(help="Share of an order's value, each way.")]
Spread = Annotated[float, typer.Option(help="Width of the order book as a share of the price.")]
Impact = Annotated[
    float, typer.Option(help="What an order as large as the last bar's trade moves the price by.")
]
Delay = Annotated[float, typer.Option(help="Bars after the next open at which orders fill.")]
SnapshotFolder = Annotated[
    Path | None,
    typer.Option("--snapshot", help="Trade the positions on the bars of this snapshot, not of the bus."),
]
Out = Annotated[Path | None, typer.Option(help="Write here; default: backtests under QUANTBUS_HOME.")]


@app.command()
def backtest(
    signals: Signals = None,
    positions: Positions = None,
    start: Start = None,
    end: End = None,
    published_after: PublishedAfter = None,
    timeframe: Frame = None,
    venue: Venue = "BINANCE",
    pair: Pair = None,
    capital: Capital = 10_000.0,
    shared: Shared = False,
    stake: Stake = None,
    short: Short = False,
    fee: Fee = 0.001,
    spread: Spread = 0.0,
    impact: Impact = 0.0,
    delay: Delay = 0.0,
    snapshot: SnapshotFolder = None,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Say what signals, or positions, would have come to at the next open and after costs.

    Writes report.html, report.json and trades.csv. Perpetuals are charged the funding that is on the bus.

    \b
    Examples:
      quantbus research backtest --signals direction_1h --start 2025-01-01 --end 2025-06-30
      quantbus research backtest --signals imported --published-after 5 --fee 0.0006 --spread 0.0002 --json
      quantbus research backtest --positions mine.csv --pair BTC/USDT --timeframe 1h --out my-backtest
    """
    from quantbus_contracts.policy import TradingRules
    from quantbus_research.costs import CostModel
    from quantbus_research.workflows import Terms

    costs = CostModel(fee_rate=fee, spread_rate=spread, impact_alpha=impact, delay_bars=delay)
    terms = Terms(
        costs=costs, capital=capital, is_shared=shared, stake=stake, rules=TradingRules(can_short=short)
    )
    if (signals is None) == (positions is None):
        raise ConfigError("expected either --signals STRATEGY_ID or --positions FILE")
    if signals is not None:
        if pair is not None or snapshot is not None:
            raise ConfigError(
                "expected --pair and --snapshot with --positions only; signals name their pairs"
            )
        after = None if published_after is None else timedelta(seconds=published_after)
        name, found = signals, _of_signals(signals, terms, start, end, timeframe, after)
    else:
        if published_after is not None or start or end or short or positions is None:
            raise ConfigError("expected --published-after, --short, --start and --end with --signals only")
        name, found = (
            positions.stem,
            _of_positions(positions, terms, venue, pair, timeframe or "1h", snapshot),
        )
    market = found.backtest.market
    default = f"{name}-{market.times[0]:%Y%m%d}-{market.times[-1]:%Y%m%d}"
    _show(found, out or _home() / "backtests" / default, as_json=as_json)


def _home() -> Path:
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings

    return load_settings(HomeSettings).home


def connected() -> "Connection":
    """Return the bus, asked patiently."""
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings

    return connect(load_settings(MongoSettings), app="research", timeout_seconds=60.0)


def _of_signals(
    strategy_id: str,
    terms: "Terms",
    start: str | None,
    end: str | None,
    timeframe: str | None,
    published_after: timedelta | None,
) -> "Outcome":
    from dataclasses import replace

    from rich.console import Console

    from quantbus_contracts.market import MarketQuery
    from quantbus_contracts.mongo.signal_reader import SignalReader
    from quantbus_contracts.mongo.strategies import StrategyStore
    from quantbus_contracts.symbols import Instrument
    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.workflows import backtest_signals, signals_between

    connection = connected()
    try:
        with Console(stderr=True).status(f"{strategy_id}: signals, bars, trades, report"):
            declared = StrategyStore(connection).get(strategy_id)
            if declared is None:
                raise ConfigError(f"expected a strategy on the bus, found no {strategy_id!r}")
            strategy, now = declared.strategy, connection.server_now()
            names = [Instrument.from_pair(strategy.venue, pair).symbol for pair in strategy.pairs]
            bars = Timeframe.parse(timeframe or strategy.timeframe)
            asked = MarketQuery.of(names, start or FIRST, end or now, timeframe=bars)
            said = signals_between(SignalReader(connection), strategy, asked.start, asked.end)
            first = asked.start if start is not None else min(item.signal.ts for item in said)
            panel = bars_of(connection, names, bars, first, asked.end)
            charged = funding_of(connection, panel) if strategy.market_type == "swap" else None
            return backtest_signals(
                said,
                panel,
                bars,
                replace(terms, funding=charged),
                title=f"Backtest: signals of {strategy_id}, {bars.name}",
                published_after=published_after,
            )
    finally:
        connection.close()


def _of_positions(
    file: Path, terms: "Terms", venue: str, pair: str | None, timeframe: str, snapshot: Path | None
) -> "Outcome":
    from dataclasses import replace

    from rich.console import Console

    from quantbus_contracts.market import Snapshot
    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.dataset import read_positions
    from quantbus_research.workflows import backtest_positions

    wanted, bars = read_positions(file, venue, pair), Timeframe.parse(timeframe)
    times = wanted.index.get_level_values(1)
    names = sorted(set(wanted.index.get_level_values(0)))
    with Console(stderr=True).status(f"{file.name}: bars, trades, report"):
        title = f"Backtest: positions of {file.name}, {bars.name}"
        if snapshot is not None:
            return backtest_positions(wanted, Snapshot.open(snapshot).table(), bars, terms, title=title)
        connection = connected()
        try:
            panel = bars_of(connection, names, bars, times.min().to_pydatetime(), times.max() + bars.delta)
            charged = funding_of(connection, panel) if any(".P" in name for name in names) else None
            return backtest_positions(wanted, panel, bars, replace(terms, funding=charged), title=title)
        finally:
            connection.close()


def bars_of(
    connection: "Connection", names: list[str], timeframe: "Timeframe", start: datetime, end: datetime
) -> "pd.DataFrame":
    """Return the bars of symbols.

    Raises
    ------
    ConfigError
        If there are none.
    """
    from quantbus_contracts.market import MarketData

    panel = MarketData(connection).frame(names, timeframe, start, end)
    if panel.empty:
        raise ConfigError(
            f"expected {timeframe.name} bars of {', '.join(names)} from {start:%Y-%m-%d %H:%M} UTC on, found none on "
            "the bus; bring them in with `quantbus ingest backfill` or `import`"
        )
    return panel


def funding_of(connection: "Connection", panel: "pd.DataFrame") -> "pd.Series":
    """Return the rates of all payments that fall into the bars."""
    from quantbus_contracts.market import MarketContext

    times = panel.index.get_level_values(1)
    names = list(panel.index.get_level_values(0).unique())
    rates: pd.Series = MarketContext(connection).funding(
        names, times.min().to_pydatetime(), times.max().to_pydatetime() + timedelta(seconds=1)
    )["rate"]
    return rates


def _show(found: "Outcome", folder: Path, *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from quantbus_research.workflows import keep_backtest

    page, *_ = keep_backtest(found, folder)
    if as_json:
        typer.echo(json.dumps(found.as_dict() | {"folder": str(folder)}, allow_nan=False))
        return
    summary, console = found.report.summary, Console()
    console.print(summary.verdict, style="bold", highlight=False)
    table = Table("", "total", "a year", "Sharpe", "deepest drawdown", "trades")
    runs = {"as assumed": summary.result, "buying and holding": summary.buy_and_hold} | {
        name: figures for name, figures in summary.at_other_costs.items() if name != "as assumed"
    }
    for name, figures in runs.items():
        if figures is not None:
            table.add_row(
                name,
                f"{figures.total_return:+.2%}",
                f"{figures.annual_return:+.2%}",
                f"{figures.sharpe:.2f}",
                f"{figures.max_drawdown:.2%}",
                f"{figures.trades:,}",
            )
    console.print(table)
    for said in (*found.remarks, *summary.doubts):
        console.print(f"• {said}", highlight=False)
    console.print(f"written to {page.parent}", soft_wrap=True, highlight=False)
