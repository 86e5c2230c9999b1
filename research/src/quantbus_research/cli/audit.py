"""What factors are worth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_contracts.errors import ConfigError
from quantbus_research.cli.names import split_names

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.audits import Audit, AuditSettings
    from quantbus_research.workflows import AuditFiles

__all__ = ["app"]

app = typer.Typer()

Factors = Annotated[str, typer.Option(help="Sets or factors, with commas: cta_core or rsi_14,log_return_24.")]
Pairs = Annotated[str | None, typer.Option(help="At least five, with commas: BTC/USDT,ETH/USDT.")]
Venue = Annotated[str, typer.Option(help="The exchange, as the bus spells it.")]
Frame = Annotated[str, typer.Option("--timeframe", help="Of the bars on the bus.")]
Horizons = Annotated[str, typer.Option(help="Holding times in bars, with commas; the first one screens.")]
Start = Annotated[str | None, typer.Option(help="First day that is judged (2024-01-31).")]
End = Annotated[str | None, typer.Option(help="Last day, in whole.")]
Fee = Annotated[float, typer.Option(help="Share of an order's value, each way.")]
Spread = Annotated[float, typer.Option(help="Width of the order book as a share of the price.")]
SnapshotFolder = Annotated[
    Path | None, typer.Option("--snapshot", help="Read this snapshot, in whole, not the bus.")
]
Out = Annotated[Path | None, typer.Option(help="Write here; default: audits under QUANTBUS_HOME.")]


@app.command()
def audit(
    factors: Factors = "cta_core",
    pairs: Pairs = None,
    venue: Venue = "BINANCE",
    timeframe: Frame = "1h",
    horizons: Horizons = "1,4",
    start: Start = None,
    end: End = None,
    fee: Fee = 0.0006,
    spread: Spread = 0.0,
    snapshot: SnapshotFolder = None,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Say what factors tell about later returns across symbols, what is left after costs, and which to keep.

    Writes factor_summary.csv, summary.md, audit.html and audit.json.

    \b
    Examples:
      quantbus research audit --pairs BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,ADA/USDT --start 2024-01-01 --end 2024-12-31
      quantbus research audit --snapshot .quantbus/snapshots/0123abcd --factors alpha158 --fee 0.001 --out my-audit
    """
    from quantbus_research.audits import AuditSettings
    from quantbus_research.costs import CostModel
    from quantbus_research.workflows import chosen_factors, keep_audit

    names = chosen_factors(split_names(factors, "--factors"))
    costs = CostModel(fee_rate=fee, spread_rate=spread)
    settings = AuditSettings(
        horizons=tuple(_bars(name) for name in split_names(horizons, "--horizons")), costs=costs
    )
    if snapshot is not None:
        if pairs or start or end:
            raise ConfigError("--snapshot: expected without --pairs, --start and --end, for it is read whole")
        panel, bars = _of_snapshot(snapshot)
        found = _audited(panel, names, bars, settings, None)
    else:
        panel, bars, since = _of_bus(pairs, venue, timeframe, start, end, names)
        found = _audited(panel, names, bars, settings, since)
    title = f"Factor audit: {factors}, {found.timeframe.name}"
    folder = out or _home() / "audits" / f"{bars.name}-{found.first_bar:%Y%m%d}-{found.last_bar:%Y%m%d}"
    _show(found, keep_audit(found, folder, title=title), as_json=as_json)


def _bars(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"--horizons: expected whole numbers of bars such as 1,4, found {text!r}")
    return int(text)


def _home() -> Path:
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings

    return load_settings(HomeSettings).home


def _of_snapshot(folder: Path) -> "tuple[pd.DataFrame, Timeframe]":
    from quantbus_contracts.market import Snapshot
    from quantbus_contracts.timeframe import Timeframe

    taken = Snapshot.open(folder)
    return taken.table(), Timeframe.parse(str(taken.meta.query["timeframe"]))


def _of_bus(
    pairs: str | None, venue: str, timeframe: str, start: str | None, end: str | None, names: "Sequence[str]"
) -> "tuple[pd.DataFrame, Timeframe, datetime]":
    from quantbus_contracts.market import MarketData, MarketQuery
    from quantbus_contracts.symbols import Instrument
    from quantbus_research.workflows import warmed_panel

    if pairs is None or start is None or end is None:
        raise ConfigError("expected --pairs, --start and --end for bars from the bus, or --snapshot FOLDER")
    symbols = [Instrument.from_pair(venue, name).symbol for name in split_names(pairs, "--pairs")]
    query = MarketQuery.of(symbols, start, end, timeframe=timeframe)
    with MarketData.from_env() as data:
        return warmed_panel(data.frame, query, names), query.timeframe, query.start


def _audited(
    panel: "pd.DataFrame",
    names: "Sequence[str]",
    timeframe: "Timeframe",
    settings: "AuditSettings",
    since: "datetime | None",
) -> "Audit":
    from rich.console import Console
    from rich.progress import Progress

    from quantbus_research.audits import audit_factors

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task("factors", total=len(names))
        return audit_factors(
            panel, names, timeframe, settings, since=since, seen=lambda name: progress.advance(task)
        )


def _show(found: "Audit", files: "AuditFiles", *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from quantbus_research.audits import as_dict, remarks

    if as_json:
        typer.echo(json.dumps(as_dict(found) | {"folder": str(files.page.parent)}, allow_nan=False))
        return
    first = found.settings.horizons[0]
    table = Table("factor", "RankIC", "ICIR", "t", "after costs a year", "verdict", title=f"horizon {first}")
    for item in sorted(found.factors, key=lambda item: (item.refusal is not None, item.name)):
        at = item.first
        verdict = "kept" if item.refusal is None else f"{item.refusal.step}: {item.refusal.reason}"
        table.add_row(
            item.name,
            f"{at.rank_ic:+.4f}",
            f"{at.icir:+.3f}",
            f"{at.t:+.2f}",
            f"{at.after_costs:+.1%}",
            verdict,
        )
    console = Console()
    console.print(table)
    for said in remarks(found):
        console.print(f"• {said}", highlight=False)
    console.print(f"written to {files.page.parent}", soft_wrap=True, highlight=False)
