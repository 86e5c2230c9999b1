"""What factors are worth."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quantbus_contracts.errors import ConfigError
from quantbus_research.cli.names import split_names
from quantbus_research.cli.recipes import chosen_recipe

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import pandas as pd

    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.audits import Audit, AuditSettings
    from quantbus_research.settings import Recipe
    from quantbus_research.workflows import AuditFiles, LastWord

__all__ = ["app"]

app = typer.Typer()
_USUAL = "cta_core"

Factors = Annotated[
    str | None,
    typer.Option(help="Sets or factors, with commas: cta_core (the default) or rsi_14,ema_distance_{fast}."),
]
Parameters = Annotated[
    Path | None,
    typer.Option(
        metavar="FILE", help="JSON that fills the {names} in --factors: a strategy's own parameters."
    ),
]
RecipeName = Annotated[
    str | None,
    typer.Option("--recipe", help="The factors of this recipe; its pairs, venue and timeframe as well."),
]
Pairs = Annotated[str | None, typer.Option(help="At least five, with commas: BTC/USDT,ETH/USDT.")]
Venue = Annotated[str | None, typer.Option(help="The exchange, as the bus spells it; default BINANCE.")]
Frame = Annotated[str | None, typer.Option("--timeframe", help="Of the bars on the bus; default 1h.")]
Last = Annotated[
    Literal["none", "lasso", "elastic_net"],
    typer.Option(
        "--last-step", help="Choose among the kept factors those that add something beside the others."
    ),
]
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
    factors: Factors = None,
    parameters: Parameters = None,
    recipe: RecipeName = None,
    pairs: Pairs = None,
    venue: Venue = None,
    timeframe: Frame = None,
    horizons: Horizons = "1,4",
    start: Start = None,
    end: End = None,
    fee: Fee = 0.0006,
    spread: Spread = 0.0,
    last_step: Last = "none",
    snapshot: SnapshotFolder = None,
    out: Out = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Say what factors tell about later returns across symbols, what is left after costs, and which to keep.

    Writes factor_summary.csv, summary.md, audit.html and audit.json; with --last-step selection.json as well.

    \b
    Examples:
      quantbus research audit --pairs BTC/USDT,ETH/USDT,SOL/USDT,XRP/USDT,ADA/USDT --start 2024-01-01 --end 2024-12-31
      quantbus research audit --snapshot .quantbus/snapshots/0123abcd --factors alpha158 --last-step lasso
      quantbus research audit --snapshot .quantbus/snapshots/0123abcd --recipe my_recipe.toml
      quantbus research audit --snapshot snapshots/0123abcd --factors ema_distance_{fast} --parameters MyStrategy.json
    """
    from quantbus_research.audits import AuditSettings, LastStep
    from quantbus_research.costs import CostModel
    from quantbus_research.workflows import keep_audit, keep_last_word, last_word

    if snapshot is not None and (pairs or start or end):
        raise ConfigError("--snapshot: expected without --pairs, --start and --end, for it is read whole")
    own = chosen_recipe(recipe, None, None) if recipe is not None else None
    names = _names(factors, parameters, own)
    costs = CostModel(fee_rate=fee, spread_rate=spread)
    settings = AuditSettings(
        horizons=tuple(_bars(name) for name in split_names(horizons, "--horizons")), costs=costs
    )
    if snapshot is not None:
        panel, bars, since = _of_snapshot(snapshot)
    else:
        market = own.market if own is not None else None
        asked = pairs or (",".join(market.pairs) if market else None)
        place = venue or (market.venue if market else "BINANCE")
        frame = timeframe or (market.timeframe if market else "1h")
        panel, bars, since = _of_bus(asked, place, frame, start, end, names)
    found = _audited(panel, names, bars, settings, since)
    folder = out or _home() / "audits" / f"{bars.name}-{found.first_bar:%Y%m%d}-{found.last_bar:%Y%m%d}"
    title = f"Factor audit: {recipe or factors or _USUAL}, {found.timeframe.name}"
    files = keep_audit(found, folder, title=title)
    said = None if last_step == "none" else last_word(found, panel, LastStep(method=last_step))
    if said is not None:
        keep_last_word(said, folder)
    elif last_step != "none":
        typer.echo("fewer than two factors were kept, so there is no last step", err=True)
    _show(found, files, said, as_json=as_json)


def _names(factors: str | None, parameters: Path | None, recipe: "Recipe | None") -> tuple[str, ...]:
    from quantbus_research.workflows import chosen_factors, filled, parameters_of

    if recipe is not None:
        if factors is not None or parameters is not None:
            raise ConfigError(
                "--recipe: expected without --factors and --parameters; the recipe names its factors"
            )
        return recipe.factors.names
    given = parameters_of(parameters) if parameters is not None else {}
    return chosen_factors(filled(split_names(factors or _USUAL, "--factors"), given))


def _bars(text: str) -> int:
    if not text.isdecimal():
        raise ConfigError(f"--horizons: expected whole numbers of bars such as 1,4, found {text!r}")
    return int(text)


def _home() -> Path:
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings

    return load_settings(HomeSettings).home


def _of_snapshot(folder: Path) -> "tuple[pd.DataFrame, Timeframe, None]":
    from quantbus_contracts.market import Snapshot
    from quantbus_contracts.timeframe import Timeframe

    taken = Snapshot.open(folder)
    return taken.table(), Timeframe.parse(str(taken.meta.query["timeframe"])), None


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


def _show(found: "Audit", files: "AuditFiles", said: "LastWord | None", *, as_json: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from quantbus_research.audits import as_dict, remarks

    if as_json:
        more = {"folder": str(files.page.parent), "last_step": None if said is None else said.as_dict()}
        typer.echo(json.dumps(as_dict(found) | more, allow_nan=False))
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
    for remark in [*remarks(found), *([said.selection.told] if said is not None else [])]:
        console.print(f"• {remark}", highlight=False)
    console.print(f"written to {files.page.parent}", soft_wrap=True, highlight=False)
