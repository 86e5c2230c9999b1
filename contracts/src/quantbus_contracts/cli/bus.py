"""``quantbus bus``: the embedded MongoDB, and the layout of any MongoDB."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from quantbus_contracts.runtime.settings import MongoSettings, ProcessSettings, load_settings

__all__ = ["app"]

app = typer.Typer(help="Start, prepare, inspect and stop the bus.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


class EmbeddedSettings(ProcessSettings):
    """Where the embedded server keeps its data, and which binary it runs."""

    home: Path = Path(".quantbus")
    mongod: Path | None = None


@app.command()
def up(as_json: Json = False) -> None:
    """Start the embedded MongoDB unless it runs; return once it answers, and leave it running.

    \b
    Example:
      quantbus bus up --json
    """
    from quantbus_contracts.embedded import start_server

    settings = load_settings(EmbeddedSettings)
    server = start_server(settings.home, mongod=settings.mongod)
    console = Console()
    if as_json:
        console.print_json(data={"uri": server.uri, "pid": server.pid})
    else:
        console.print(f"bus is up: [bold]{server.uri}[/] (pid {server.pid}, data in {server.data})")


@app.command()
def init(as_json: Json = False) -> None:
    """Make collections, unique indexes and validators; may be run any number of times.

    \b
    Example:
      quantbus bus init
    """
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.mongo.layout import initialise

    connection = connect(load_settings(MongoSettings), app="init", timeout_seconds=60)
    report = initialise(connection)
    connection.close()
    console = Console()
    if as_json:
        console.print_json(data=asdict(report))
    elif report.changed:
        console.print(
            f"bus is ready: {report.collections_created} collections made, {report.indexes_created} indexes made, "
            f"{report.validators_set} validators set"
        )
    else:
        console.print("bus is ready: everything was there already")


@app.command()
def status(as_json: Json = False) -> None:
    """Show whether the bus answers and is prepared; exit 1 when it is not.

    \b
    Example:
      quantbus bus status --json
    """
    from quantbus_contracts.errors import BusUnavailable, ConfigError
    from quantbus_contracts.mongo.client import connect, resolve_uri
    from quantbus_contracts.mongo.layout import missing_parts
    from quantbus_contracts.runtime.redaction import redact

    settings = load_settings(MongoSettings)
    state: dict[str, object] = {"up": False, "uri": None, "missing": [], "reason": None}
    try:
        state["uri"] = redact(resolve_uri(settings))
        connection = connect(settings, app="status", timeout_seconds=3)
        state["server_time"] = connection.server_now().isoformat()
        state["server_version"] = str(connection.client.server_info()["version"])
        state["up"] = True
        state["missing"] = missing_parts(connection)
        connection.close()
    except (BusUnavailable, ConfigError) as error:
        state["reason"] = str(error)
    console = Console()
    if as_json:
        console.print_json(data=state)
    elif not state["up"]:
        console.print(f"bus is [bold red]down[/]: {state['reason']}")
    else:
        console.print(f"bus is [bold green]up[/]: {state['uri']} (MongoDB {state['server_version']})")
        for part in list(state["missing"]):  # type: ignore[call-overload]  # a list of strings by construction
            console.print(f"  missing: {part}")
        if state["missing"]:
            console.print("run `quantbus bus init`")
    raise typer.Exit(0 if state["up"] and not state["missing"] else 1)


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the embedded MongoDB; its data stays.

    \b
    Example:
      quantbus bus down
    """
    from quantbus_contracts.embedded import stop_server

    ran = stop_server(load_settings(EmbeddedSettings).home)
    console = Console()
    if as_json:
        console.print_json(data={"stopped": ran})
    else:
        console.print("bus is down" if ran else "bus was not running")
