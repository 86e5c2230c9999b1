"""``quantbus monitor``: watch the bus, or look once."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_services.monitor.daily_cli import report
from quantbus_services.monitor.findings_cli import ack, findings

if TYPE_CHECKING:
    from quantbus_services.monitor.status import Status

__all__ = ["app"]

app = typer.Typer(
    help="Know what is wrong: stale bars, silent strategies, unseen signals, unexplained trades.",
    no_args_is_help=True,
)
app.command()(findings)
app.command()(ack)
app.command()(report)


@app.command()
def serve(
    port: Annotated[int | None, typer.Option(help="Port to listen on; 0 takes a free one. [8710]")] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on. [127.0.0.1]")] = None,
    ready_file: Annotated[
        Path | None,
        typer.Option(help="Where to write address and pid once the first checks are done."),
    ] = None,
    interval: Annotated[float | None, typer.Option(help="Seconds between two looks. [3]")] = None,
) -> None:
    """Watch until stopped; answers on / (the status page), /healthz, /readyz, /metrics and /status.

    \b
    Example:
      quantbus monitor serve --port 8710
      curl -s http://127.0.0.1:8710/status
    """
    from quantbus_contracts.runtime.lifecycle import run_until_stopped
    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_options, load_settings
    from quantbus_services.monitor.main import serve as run
    from quantbus_services.monitor.settings import MonitorSettings

    settings = load_options(
        MonitorSettings,
        {"interval_seconds": "--interval"},
        port=port,
        host=host,
        ready_file=ready_file,
        interval_seconds=interval,
    )
    mongo = load_settings(MongoSettings)
    process = load_settings(HomeSettings)
    configure("monitor", level=process.log_level, json=process.log_json)
    raise typer.Exit(run_until_stopped(lambda: run(settings, mongo)))


@app.command()
def check(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, as /status does.")] = False,
) -> None:
    """Run every check once; exit 1 if anything is wrong or cannot be known.

    \b
    Example:
      quantbus monitor check --json
    """
    import asyncio

    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
    from quantbus_services.monitor.main import check_once
    from quantbus_services.monitor.settings import MonitorSettings

    process = load_settings(HomeSettings)
    configure("monitor", level="error", json=process.log_json)  # the answer says what a log would
    status = asyncio.run(check_once(load_settings(MonitorSettings), load_settings(MongoSettings)))
    if as_json:
        typer.echo(status.model_dump_json(indent=2))
    else:
        _print(status)
    raise typer.Exit(0 if status.ok else 1)


@app.command()
def alertmanager(
    out: Annotated[Path, typer.Option(help="Where to write it; for its owner's eyes only.")],
) -> None:
    """Write Alertmanager's configuration: who is told what, by the QUANTBUS_ALERTMANAGER_* settings.

    \b
    Example:
      quantbus monitor alertmanager --out alertmanager.yml
    """
    from quantbus_contracts.runtime.settings import load_settings
    from quantbus_services.monitor.alerts.alertmanager import AlertmanagerSettings, write_configuration

    write_configuration(load_settings(AlertmanagerSettings), out)
    Console(stderr=True).print(f"wrote {escape(str(out))}")


@app.command()
def dashboards(
    out: Annotated[Path, typer.Option(help="Folder to write them into, a file for each.")],
) -> None:
    """Write Grafana's dashboards, for a Grafana that has our Prometheus as a data source.

    \b
    Example:
      quantbus monitor dashboards --out dashboards
    """
    from quantbus_services.monitor.dashboards import write_dashboards

    written = write_dashboards(out)
    Console(stderr=True).print(f"wrote {len(written)} dashboards into {escape(str(out))}")


def _print(status: "Status") -> None:
    console = Console()
    if status.bus_error:
        console.print(f"[bold red]the bus does not answer:[/] {escape(status.bus_error)}")
        return
    table = Table("check", "outcome", "what was found", "what to do")
    for item in status.checks:
        own = [finding for finding in status.findings if finding.check == item.name]
        if not own:
            table.add_row(item.name, item.outcome, escape(item.error or item.note or ""), "")
        for finding in own:
            table.add_row(item.name, finding.severity, escape(finding.message), escape(finding.action))
    console.print(table)
    console.print("[green]all is well[/]" if status.ok else "[bold red]not all is well[/]")
