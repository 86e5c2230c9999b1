"""``quantbus research``: recipes, models, data. Heavy imports wait until a command runs."""

import typer

from quantbus_research.cli import audit, backtest, convert, models, recipes, shadow, why

__all__ = ["app"]

app = typer.Typer(
    help="From candles to signals: factors, models, recipes, and what they publish.",
    no_args_is_help=True,
    rich_markup_mode="rich",
)
for _part in (recipes, models, convert, audit, backtest, shadow, why):
    app.add_typer(_part.app)
