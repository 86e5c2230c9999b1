"""``quantbus gateway``: signals over HTTP."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["app"]

app = typer.Typer(
    help="Publish and read signals over HTTP; take alerts of charting sites.", no_args_is_help=True
)


@app.callback()
def gateway() -> None:
    """Publish and read signals over HTTP; take alerts of charting sites."""


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. [8720]")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")] = None,
    ready_file: Annotated[
        Path | None, typer.Option(help="Where to write address and pid once the bus has answered.")
    ] = None,
) -> None:
    """Serve until stopped; keys come from `quantbus keys create`.

    \b
    Example:
      quantbus gateway serve --port 8720
      curl -s http://127.0.0.1:8720/healthz
    """
    from quantbus_contracts.runtime.lifecycle import run_until_stopped
    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_options, load_settings
    from quantbus_services.gateway.main import serve as run
    from quantbus_services.gateway.settings import GatewaySettings

    settings = load_options(GatewaySettings, port=port, host=host, ready_file=ready_file)
    mongo = load_settings(MongoSettings)
    process = load_settings(HomeSettings)
    configure("gateway", level=process.log_level, json=process.log_json)
    raise typer.Exit(run_until_stopped(lambda: run(settings, mongo)))
