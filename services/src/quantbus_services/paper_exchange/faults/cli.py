"""``quantbus paper-exchange faults``: see the catalogue, and switch faults of a running exchange."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["app"]

app = typer.Typer(help="Let the exchange misbehave, the way real ones do, and see what it counted.")
_Url = Annotated[str, typer.Option(help="Address of the running exchange, as `serve` prints it.")]
_DEFAULT_URL = "http://127.0.0.1:8711"


@app.command("list")
def list_faults(
    url: Annotated[
        str | None, typer.Option(help="A running exchange: shows what is switched on there and was counted.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """List every fault there is; with --url what is switched on there, and the counts.

    \b
    Examples:
      quantbus paper-exchange faults list
      quantbus paper-exchange faults list --url http://127.0.0.1:8711 --json
    """
    import json

    from rich.console import Console

    from quantbus_services.paper_exchange.faults.pages import catalogue_json, catalogue_table, state_table
    from quantbus_services.paper_exchange.faults.remote import ask

    if url is None:
        state, table = catalogue_json(), catalogue_table()
    else:
        state = ask("GET", url)
        table = state_table(state)
    if as_json:
        typer.echo(json.dumps(state))
    else:
        Console().print(table)


@app.command("set")
def set_fault(
    name: Annotated[str, typer.Argument(help="Name of the fault.")],
    settings: Annotated[
        list[str] | None,
        typer.Argument(
            help="What it is given: share=0.05, seed=7, every, skip, times, from, until, path, symbol."
        ),
    ] = None,
    url: _Url = _DEFAULT_URL,
) -> None:
    """Switch a fault on, in place of an earlier setting of the same one.

    \b
    Examples:
      quantbus paper-exchange faults set rate_limited share=0.05 seed=7 retry_after=3
      quantbus paper-exchange faults set banned skip=20 times=1 seconds=120
      quantbus paper-exchange faults set nan_candle share=0.01 heals=120 symbol=BTCUSDT
      quantbus paper-exchange faults set maintenance from=60 until=7260
    """
    from quantbus_services.paper_exchange.faults.catalogue import spec_named
    from quantbus_services.paper_exchange.faults.remote import ask
    from quantbus_services.paper_exchange.faults.spec import rule_of, values_of

    values = values_of(settings or [])
    rule_of(spec_named(name), values)
    _say(ask("PUT", url, name, values))


@app.command("clear")
def clear_faults(
    name: Annotated[str | None, typer.Argument(help="Name of the fault; all without one.")] = None,
    url: _Url = _DEFAULT_URL,
) -> None:
    """Switch one fault off, or all; a ban they began ends as well. Counts stay.

    \b
    Examples:
      quantbus paper-exchange faults clear
      quantbus paper-exchange faults clear rate_limited
    """
    from quantbus_services.paper_exchange.faults.catalogue import spec_named
    from quantbus_services.paper_exchange.faults.remote import ask

    _say(ask("DELETE", url, spec_named(name).name if name else ""))


def _say(state: dict[str, Any]) -> None:
    from rich.console import Console

    from quantbus_services.paper_exchange.faults.pages import state_table

    Console(stderr=True).print(state_table(state))
