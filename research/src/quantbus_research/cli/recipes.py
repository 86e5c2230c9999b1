"""Run recipes, list them, validate them."""

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quantbus_contracts.errors import ConfigError

if TYPE_CHECKING:
    from quantbus_research.settings import Recipe
    from quantbus_research.workflows import OnceReport

__all__ = ["AsJson", "Overrides", "Pairs", "RecipeName", "app", "chosen_recipe", "parse_moment"]

app = typer.Typer()

RecipeName = Annotated[str, typer.Argument(help="Path of a TOML file, or the name of a shipped recipe.")]
Overrides = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a key: --set nodes.policy.hold_bars=5. Repeatable."
    ),
]
Pairs = Annotated[str | None, typer.Option(help="Override the pairs: BTC/USDT,ETH/USDT.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]
Shadow = Annotated[
    Literal["candidate", "staging", "production"] | None,
    typer.Option(help="With --loop: the model on this stage speaks beside it, as <strategy>.shadow."),
]


Loop = Annotated[
    bool | None,
    typer.Option(
        "--loop/--once",
        help="Instead of the whole graph: the live part of it, at every bar close until stopped, or for one bar.",
    ),
]
AsOf = Annotated[
    str | None, typer.Option(help="As if it were this time (ISO 8601, UTC); what is said then is backfill.")
]
Jobs = Annotated[int, typer.Option(min=1, max=1_024, help="Do so many things at a time.")]
Only = Annotated[str | None, typer.Option(metavar="NODE", help="Only this node and those it waits for.")]
Resume = Annotated[
    bool, typer.Option("--resume", help="Go on with the newest run of this recipe that was cut off.")
]
NoCache = Annotated[
    bool, typer.Option("--no-cache", help="Compute everything; compare it with what the cache has.")
]
WhatIf = Annotated[
    bool, typer.Option("--what-if", help="Say what would be run and published; write nothing.")
]
DryRun = Annotated[bool, typer.Option("--dry-run-publish", help="Do all of it but publish; print the rows.")]
Retrain = Annotated[
    bool, typer.Option("--retrain", help="With --loop or --once: train even if the model is there.")
]
MetricsPort = Annotated[
    int, typer.Option(min=0, max=65_535, help="Serve Prometheus metrics of the loop; 0 = off.")
]
MaxBars = Annotated[int | None, typer.Option(min=1, help="End the loop after so many bars.")]


@app.command()
def run(
    recipe: RecipeName,
    loop: Loop = None,
    as_of: AsOf = None,
    jobs: Jobs = 1,
    only: Only = None,
    resume: Resume = False,
    no_cache: NoCache = False,
    what_if: WhatIf = False,
    dry_run_publish: DryRun = False,
    retrain: Retrain = False,
    overrides: Overrides = None,
    pairs: Pairs = None,
    metrics_port: MetricsPort = 0,
    max_bars: MaxBars = None,
    shadow: Shadow = None,
    as_json: AsJson = False,
) -> None:
    """Run all nodes of a recipe: bars, factors, model or rule, backtest, gates, signals, report.

    What was computed before from the same bars, settings and code is taken from the cache. Exit 1 if a gate refuses.

    \b
    Examples:
      quantbus research run direction_1h --what-if
      quantbus research run direction_1h --jobs 2 --dry-run-publish
      quantbus research run my_recipe.toml --as-of 2025-06-01T12:00Z --json
      quantbus research run demo --loop --metrics-port 9104
      quantbus research run direction_1h --loop --shadow staging
    """
    chosen, moment = chosen_recipe(recipe, overrides, pairs), parse_moment(as_of)
    given = {
        "--only": only is not None,
        "--resume": resume,
        "--no-cache": no_cache,
        "--what-if": what_if,
        "--dry-run-publish": dry_run_publish,
        "--jobs": jobs > 1,
    }
    live = {"--retrain": retrain, "--max-bars": max_bars is not None, "--shadow": shadow is not None}
    _require_mode(loop, given, live)
    if loop is None:
        from quantbus_research.cli.graph import rehearse, run_whole
        from quantbus_research.workflows.runs import RunOptions

        options = RunOptions(jobs=jobs, cold=no_cache, dry=dry_run_publish, only=only, resume=resume)
        (rehearse if what_if else run_whole)(chosen, moment, options, as_json=as_json)
        return
    if loop:
        if moment is not None:
            raise ConfigError("expected --as-of without --loop; a loop lives in the present")
        _live(
            chosen,
            metrics_port=metrics_port,
            max_bars=max_bars,
            retrain=retrain,
            shadow=shadow,
            as_json=as_json,
        )
    else:
        _once(chosen, moment, retrain=retrain, as_json=as_json)


def _live(
    recipe: "Recipe",
    *,
    metrics_port: int,
    max_bars: int | None,
    retrain: bool,
    shadow: Literal["candidate", "staging", "production"] | None,
    as_json: bool,
) -> None:
    from quantbus_research.worker import run_worker

    evaluated = run_worker(
        recipe, metrics_port=metrics_port, max_bars=max_bars, retrain=retrain, shadow=shadow
    )
    if as_json:
        typer.echo(json.dumps({"strategy_id": recipe.strategy_id, "bars": evaluated}))


def _once(recipe: "Recipe", as_of: datetime | None, *, retrain: bool, as_json: bool) -> None:
    report = _run_once(recipe, as_of, retrain=retrain)
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _print_report(report)
    if not report.inference.report.ok:
        raise typer.Exit(1)


def _require_mode(loop: bool | None, of_graph: Mapping[str, bool], of_live: Mapping[str, bool]) -> None:
    """Refuse options that mean nothing the way the recipe is to be run.

    Raises
    ------
    ConfigError
        Naming them.
    """
    wrong = [name for name, is_given in (of_live if loop is None else of_graph).items() if is_given]
    if wrong:
        way = "with --loop or --once" if loop is None else "without --loop and --once"
        raise ConfigError(f"expected {', '.join(wrong)} {way} only")


@app.command()
def recipes(as_json: AsJson = False) -> None:
    """List the recipes that come with quantbus.

    \b
    Example:
      quantbus research recipes
    """
    from quantbus_research.settings import load_recipe, shipped_recipes

    factors, sets = _factors(), _sets()
    known = {
        name: load_recipe(source, factors=factors, sets=sets) for name, source in shipped_recipes().items()
    }
    if as_json:
        typer.echo(json.dumps({name: recipe.model_dump(mode="json") for name, recipe in known.items()}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("recipe", "timeframe", "pairs", "what it is")
    for name, recipe in known.items():
        market = recipe.market
        table.add_row(name, market.timeframe, ", ".join(market.pairs), " ".join(recipe.description.split()))
    Console().print(table)


@app.command()
def validate(
    recipe: RecipeName, overrides: Overrides = None, pairs: Pairs = None, as_json: AsJson = False
) -> None:
    """Check a recipe without doing anything; exit 2 with the line of each fault.

    \b
    Example:
      quantbus research validate my_recipe.toml
    """
    chosen = chosen_recipe(recipe, overrides, pairs)
    if as_json:
        typer.echo(chosen.model_dump_json())
        return
    typer.echo(f"{recipe} is valid: strategy {chosen.strategy_id}, config {chosen.config_hash[:12]}")


def _factors() -> Collection[str]:
    from quantbus_research.factors import Vocabulary

    return Vocabulary()


def _sets() -> Mapping[str, Sequence[str]]:
    from quantbus_research.factors import factor_sets

    return factor_sets()


def chosen_recipe(name: str, overrides: list[str] | None, pairs: str | None) -> "Recipe":
    """Return the recipe that the arguments of a command name."""
    from quantbus_research.settings import find_recipe, load_recipe

    chosen = list(overrides or [])
    if pairs is not None:
        names = [pair.strip() for pair in pairs.split(",") if pair.strip()]
        chosen.append(f"market.pairs={json.dumps(names)}")
    return load_recipe(find_recipe(name), factors=_factors(), sets=_sets(), overrides=chosen)


def parse_moment(text: str | None) -> datetime | None:
    """Read ``--as-of``."""
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"expected --as-of as 2025-06-01T12:00Z, found {text!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _run_once(recipe: "Recipe", as_of: datetime | None, *, retrain: bool) -> "OnceReport":
    from rich.console import Console

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
    from quantbus_research.workflows import open_session, require_passed, run_once

    settings = load_settings(HomeSettings)
    if as_of is None:
        require_passed(recipe, settings.home)
    connection = connect(load_settings(MongoSettings), app="research", timeout_seconds=10.0)
    try:
        with Console(stderr=True).status(f"{recipe.strategy_id}: candles, factors, model, signals"):
            session = open_session(recipe, connection, settings.home, SystemClock())
            return run_once(session, as_of=as_of, retrain=retrain)
    finally:
        connection.close()


def _print_report(report: "OnceReport") -> None:
    from rich.console import Console
    from rich.table import Table

    inference, console = report.inference, Console()
    if report.trained is not None:
        manifest, how = report.trained.manifest, "reused" if report.trained.reused else "trained"
        figures = ", ".join(f"{name} {value}" for name, value in manifest.metrics.items())
        console.print(f"model {manifest.model_id} ({how}): {figures}")
    table = Table("pair", "score", "says", "why", title=f"bar {inference.bar:%Y-%m-%d %H:%M} UTC")
    for verdict in inference.verdicts:
        score = "–" if verdict.view.score is None else f"{verdict.view.score:+.4f}"
        why = verdict.why + (f" (degraded: {verdict.view.degraded})" if verdict.view.degraded else "")
        table.add_row(verdict.view.pair, score, verdict.said, why)
    console.print(table)
    counts = inference.report
    console.print(
        f"published as {inference.origin}: {counts.inserted} inserted, {counts.revised} revised, "
        f"{counts.unchanged} unchanged, {counts.rejected} rejected"
    )
    if inference.held_back:
        console.print(
            f"{inference.held_back} held back; the evaluation is noted as: {inference.run.degraded}"
        )
    if inference.origin == "backfill":
        console.print("not the newest closed bar of the present, so it never trades")
