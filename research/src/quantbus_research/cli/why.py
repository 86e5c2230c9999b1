"""Why a signal fired."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_contracts.errors import ConfigError
from quantbus_research.cli.recipes import AsJson, Overrides, Pairs, chosen_recipe

if TYPE_CHECKING:
    from quantbus_contracts.mongo.client import Connection
    from quantbus_research.settings import Recipe
    from quantbus_research.workflows import FactorPart, Why

__all__ = ["app"]

app = typer.Typer()


@app.command()
def why(
    signal_id: Annotated[str, typer.Argument(help="See `quantbus signals list`.")],
    recipe: Annotated[
        str | None,
        typer.Option("--recipe", help="What published it; by default the shipped recipe of that strategy."),
    ] = None,
    overrides: Overrides = None,
    pairs: Pairs = None,
    as_json: AsJson = False,
) -> None:
    """Say what each factor had to do with a signal, from the very bars and model that the signal names.

    If either is not the same any more, nothing is explained.

    \b
    Examples:
      quantbus research why 0123456789abcdef0123456789abcdef
      quantbus research why 0123456789abcdef0123456789abcdef --recipe my_recipe.toml --json
    """
    from rich.console import Console

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
    from quantbus_research.workflows import open_session
    from quantbus_research.workflows import why as explain

    settings = load_settings(HomeSettings)
    connection = connect(load_settings(MongoSettings), app="research", timeout_seconds=10.0)
    try:
        with Console(stderr=True).status("bars, factors, model"):
            chosen = _recipe_of(connection, signal_id, recipe, overrides, pairs)
            told = explain(open_session(chosen, connection, settings.home, SystemClock()), signal_id)
    finally:
        connection.close()
    if as_json:
        typer.echo(json.dumps(told.as_dict(), allow_nan=False))
    else:
        _show(told)


def _recipe_of(
    connection: "Connection",
    signal_id: str,
    recipe: str | None,
    overrides: list[str] | None,
    pairs: str | None,
) -> "Recipe":
    from quantbus_contracts.mongo.signal_reader import SignalReader
    from quantbus_research.settings import shipped_recipes

    if recipe is not None:
        return chosen_recipe(recipe, overrides, pairs)
    published = SignalReader(connection).get(signal_id)
    if published is None:
        raise ConfigError(
            f"expected a signal on the bus, found no {signal_id!r}; see `quantbus signals list`"
        )
    strategy_id = published.signal.strategy_id
    for name in shipped_recipes():
        plain = chosen_recipe(name, None, None)
        if strategy_id in (plain.strategy_id, f"{plain.strategy_id}.shadow"):
            # what is set is meant for this one; others lack the keys
            return chosen_recipe(name, overrides, pairs)
    raise ConfigError(f"expected --recipe: no shipped recipe publishes as {strategy_id!r}")


def _show(told: "Why") -> None:
    from rich.console import Console
    from rich.table import Table

    signal, console = told.published.signal, Console()
    said = signal.action or (f"weight {signal.weight:+.3f}" if signal.weight is not None else "score only")
    console.print(
        f"{signal.strategy_id} on {signal.pair}, bar {signal.ts:%Y-%m-%d %H:%M} UTC: {said}, score {signal.score:+.4f}"
        f" ({signal.origin}, version {told.published.version})",
        highlight=False,
        soft_wrap=True,
    )
    console.print(
        f"{signal.note or ''} — by {told.speaker}, bars from {told.bars_from}",
        highlight=False,
        soft_wrap=True,
    )
    is_rule = told.speaker == "rule"
    table = Table("factor", "value", "asked" if is_rule else "usual", f"added ({told.unit})")
    table.add_row("before any factor", "", "", f"{told.base:+.4f}", style="dim")
    for part in told.parts:
        added = "–" if part.added is None else f"{part.added:+.4f}"
        table.add_row(part.factor, f"{part.value:+.5g}", _beside(part), added)
    console.print(table)
    for name, value in told.steps:
        console.print(f"{name}: {value:+.4f}", highlight=False)
    if told.calibration is not None:
        console.print(f"calibration ({told.calibration}) came after the parts were added up", highlight=False)
    if told.thresholds is not None:
        place = (
            ""
            if told.higher_than is None
            else f"; higher than {told.higher_than:.0%} of the scores looked at"
        )
        console.print(
            f"enters from {told.thresholds.enter:+.4f}, leaves below {told.thresholds.exit:+.4f}{place}",
            highlight=False,
        )


def _beside(part: "FactorPart") -> str:
    if part.condition is not None:
        return f"{part.condition}: {'yes' if part.holds else 'no'}"
    if part.usual_mean is None or part.usual_deviation is None:
        return ""
    return f"{part.usual_mean:+.5g} ± {part.usual_deviation:.3g}"
