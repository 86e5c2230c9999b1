"""Train models, promote them, go back, and ask them."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from quantbus_research.cli.recipes import AsJson, Overrides, Pairs, RecipeName, chosen_recipe, parse_moment

if TYPE_CHECKING:
    from quantbus_research.settings import Recipe
    from quantbus_research.workflows import Session

__all__ = ["app"]

app = typer.Typer()

ModelId = Annotated[str | None, typer.Option("--model", help="A model's id; see `quantbus research models`.")]
AsOf = Annotated[str | None, typer.Option(help="As if it were this time (ISO 8601, UTC).")]
Only = Annotated[
    list[str] | None,
    typer.Option("--only", metavar="PAIR", help="Only with this pair of the recipe. Repeatable."),
]


@app.command()
def train(
    recipe: RecipeName,
    only: Only = None,
    each: Annotated[
        bool, typer.Option("--each", help="One model for each pair instead of one for all.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Leave models that are stored and sound as they are.")
    ] = False,
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Say what would be trained and how good it is; store nothing.")
    ] = False,
    as_of: AsOf = None,
    overrides: Overrides = None,
    pairs: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Train the model of a recipe on the bars of the bus and store it as a candidate; publish nothing.

    \b
    Examples:
      quantbus research train direction_1h
      quantbus research train direction_1h --each --resume
      quantbus research train direction_1h --only BTC/USDT --what-if --set model.calibration=sigmoid
    """
    from quantbus_research.workflows import narrowed

    whole = chosen_recipe(recipe, overrides, pairs)
    chosen = narrowed(whole, only) if only else whole
    parts = [narrowed(chosen, [pair]) for pair in chosen.market.pairs] if each else [chosen]
    told = []
    for part in parts:
        with _session(part, "candles, factors, model") as session:
            told.append(_train_one(session, parse_moment(as_of), resume=resume, what_if=what_if))
    if as_json:
        typer.echo(json.dumps(told))
        return
    from rich.console import Console

    console = Console()
    for row in told:
        told_figures = f"{row['model_id']} ({row['outcome']}): {_figures(row['metrics'])}"
        console.print(told_figures, highlight=False, soft_wrap=True)


@app.command()
def promote(
    recipe: RecipeName,
    model: ModelId = None,
    to: Annotated[
        Literal["staging", "production"], typer.Option(help="The stage to put it on.")
    ] = "production",
    only: Only = None,
    overrides: Overrides = None,
    pairs: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Judge a model by all gates and put it on a stage if it passes; by default the one with the newest data.

    Exit 1 if it is refused, with the numbers.

    \b
    Examples:
      quantbus research promote direction_1h
      quantbus research promote direction_1h --model 20260101T0000-0123456789ab --to staging --json
    """
    from quantbus_research.workflows import narrowed
    from quantbus_research.workflows import promote as judge

    whole = chosen_recipe(recipe, overrides, pairs)
    with _session(narrowed(whole, only) if only else whole, "gates") as session:
        promotion = judge(session, model, to=to)
    if as_json:
        typer.echo(json.dumps(promotion.as_dict()))
    else:
        from rich.console import Console

        console = Console()
        for verdict in promotion.verdicts:
            said = "passed" if verdict.passed else "refused"
            console.print(f"{said}  {verdict.gate}: {verdict.told}", highlight=False, soft_wrap=True)
        console.print(f"{promotion.model_id}: {promotion.told}", highlight=False, soft_wrap=True)
    if not promotion.done:
        raise typer.Exit(1)


@app.command()
def rollback(
    strategy_id: Annotated[str, typer.Argument(help="The strategy, as its recipe names it.")],
    why: Annotated[str, typer.Option(help="What the history says of it.")] = "rolled back",
    as_json: AsJson = False,
) -> None:
    """Put the production model before the present one back; once more goes one further back.

    \b
    Example:
      quantbus research rollback direction_1h --why "loses since Monday"
    """
    from dataclasses import asdict

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings
    from quantbus_research.registry import ModelRegistry
    from quantbus_research.workflows import rollback as go_back

    registry = ModelRegistry(load_settings(HomeSettings).home / "models")
    done = go_back(registry, strategy_id, now=SystemClock().now(), why=why)
    typer.echo(json.dumps(asdict(done)) if as_json else f"{strategy_id}: {done.told}")
    if not done.done:
        raise typer.Exit(1)


@app.command()
def models(
    strategy_id: Annotated[str, typer.Argument(help="The strategy, as its recipe names it.")],
    as_json: AsJson = False,
) -> None:
    """List a strategy's models with their stages and figures.

    \b
    Example:
      quantbus research models direction_1h
    """
    from quantbus_contracts.errors import ArtefactError
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings
    from quantbus_research.registry import ModelRegistry

    registry = ModelRegistry(load_settings(HomeSettings).home / "models")
    book, rows = registry.book(strategy_id), []
    for model_id in registry.model_ids(strategy_id):
        row: dict[str, object] = {"model_id": model_id, "stage": book.stage_of(model_id)}
        try:
            _, manifest = registry.load(strategy_id, model_id)
            rows.append({**row, "kind": manifest.kind, "metrics": dict(manifest.metrics), "fault": None})
        except ArtefactError as error:
            rows.append({**row, "kind": None, "metrics": {}, "fault": str(error)})
    if as_json:
        typer.echo(json.dumps({"models": rows, "history": book.model_dump(mode="json")["history"]}))
        return
    from rich.console import Console
    from rich.table import Table

    table = Table("model", "stage", "kind", "figures")
    for row in rows:
        shown = str(row["fault"] or _figures(row["metrics"]))
        table.add_row(str(row["model_id"]), str(row["stage"]), str(row["kind"] or "–"), shown)
    Console().print(table)


@app.command()
def predict(
    recipe: RecipeName,
    stage: Annotated[
        Literal["staging", "production"], typer.Option(help="Whose model to ask.")
    ] = "production",
    model: ModelId = None,
    as_of: AsOf = None,
    overrides: Overrides = None,
    pairs: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Ask a stored model about the newest closed bar of each pair; train nothing, publish nothing.

    \b
    Examples:
      quantbus research predict direction_1h
      quantbus research predict direction_1h --model 20260101T0000-0123456789ab --json
    """
    from quantbus_research.workflows import predict as ask

    with _session(chosen_recipe(recipe, overrides, pairs), "candles, factors, scores") as session:
        prediction = ask(session, stage=stage, model_id=model, as_of=parse_moment(as_of))
    if as_json:
        typer.echo(json.dumps(prediction.as_dict()))
        return
    from rich.console import Console
    from rich.table import Table

    title = f"{prediction.manifest.model_id} on bar {prediction.bar:%Y-%m-%d %H:%M} UTC"
    table = Table("pair", "probability of a rise", "score", "degraded", title=title)
    for view in prediction.views:
        known = view.score is not None
        chance = f"{(view.score + 1) / 2:.4f}" if view.score is not None else "–"
        table.add_row(view.pair, chance, f"{view.score:+.4f}" if known else "–", view.degraded or "")
    Console().print(table)


def _figures(metrics: object) -> str:
    told = metrics if isinstance(metrics, Mapping) else {}
    return ", ".join(f"{name} {'–' if value is None else value}" for name, value in told.items())


@contextmanager
def _session(recipe: "Recipe", doing: str) -> "Iterator[Session]":
    from rich.console import Console

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
    from quantbus_research.workflows import open_session

    settings = load_settings(HomeSettings)
    connection = connect(load_settings(MongoSettings), app="research", timeout_seconds=10.0)
    try:
        with Console(stderr=True).status(f"{recipe.strategy_id}, {', '.join(recipe.market.pairs)}: {doing}"):
            yield open_session(recipe, connection, settings.home, SystemClock())
    finally:
        connection.close()


def _train_one(
    session: "Session", as_of: datetime | None, *, resume: bool, what_if: bool
) -> dict[str, object]:
    from quantbus_research.workflows import rehearse, train_now

    if what_if:
        planned, metrics = rehearse(session, as_of)
        return {
            "model_id": planned.model_id,
            "pairs": list(session.recipe.market.pairs),
            "outcome": "is stored already" if planned.is_stored else "would be trained",
            "data": planned.span.model_dump(mode="json"),
            "metrics": metrics,
        }
    trained = train_now(session, as_of, retrain=not resume)
    manifest = trained.manifest
    return {
        "model_id": manifest.model_id,
        "pairs": list(session.recipe.market.pairs),
        "outcome": "was stored" if trained.reused else "trained",
        "data": manifest.data.model_dump(mode="json"),
        "metrics": dict(manifest.metrics),
        "folder": str(session.registry.folder(manifest.strategy_id, manifest.model_id)),
    }
