"""``quantbus demo``, ``quantbus up``, ``quantbus down``, ``quantbus logs``: the stack on this machine."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument

__all__ = ["demo", "down", "logs", "up"]

Pairs = Annotated[str, typer.Option(help="Pairs to trade, comma-separated.")]
Data = Annotated[Path | None, typer.Option(help="Folder or file of recorded Parquet candles to replay.")]
Exchange = Annotated[
    str, typer.Option(help="Take live market data from this exchange instead of the paper exchange.")
]


def _pairs(text: str) -> tuple[str, ...]:
    pairs = tuple(part.strip() for part in text.split(",") if part.strip())
    if not pairs:
        raise ConfigError(f"--pairs: expected names such as BTC/USDT,ETH/USDT, found {text!r}")
    for pair in pairs:
        Instrument.from_pair("BINANCE", pair)
    return pairs


def _data(folder: Path | None, exchange: str) -> Path | None:
    if folder is None:
        return None
    if exchange:
        raise ConfigError("--data and --exchange exclude each other: candles are either recorded or live")
    if not folder.exists():
        raise ConfigError(
            f"--data: expected a folder or file of Parquet candles, found nothing at {str(folder)!r}"
        )
    return folder.resolve()


def demo(
    pairs: Pairs = "BTC/USDT,ETH/USDT",
    data: Data = None,
    exchange: Exchange = "",
    minutes: Annotated[
        float, typer.Option(min=1, help="Give up if no round trip came after this long.")
    ] = 10,
    keep_running: Annotated[
        bool, typer.Option("--keep-running", help="Leave it up afterwards, until Ctrl-C.")
    ] = False,
) -> None:
    """See it work: every process for real, one candle in, one order out, a full round trip, then nothing left.

    \b
    Examples:
      quantbus demo
      quantbus demo --data ../shared/data
      quantbus demo --keep-running
    """
    from datetime import timedelta

    from rich.console import Console

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.runtime.lifecycle import run_until_stopped
    from quantbus_services.local.demo import DemoOptions, run_demo

    options = DemoOptions(
        pairs=_pairs(pairs),
        venue=exchange,
        data=_data(data, exchange),
        limit=timedelta(minutes=minutes),
        keep_running=keep_running,
    )
    console = Console()
    sys.exit(run_until_stopped(lambda: run_demo(options, SystemClock(), console), patience_seconds=60))


def up(
    pairs: Pairs = "BTC/USDT,ETH/USDT",
    data: Data = None,
    exchange: Exchange = "",
    recipe: Annotated[str, typer.Option(help="Recipe that publishes the signals.")] = "demo",
    detach: Annotated[bool, typer.Option("--detach", help="Return once everything is started.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --detach: print the addresses as JSON.")
    ] = False,
) -> None:
    """Start the stack on this machine: the same processes as in containers, on 127.0.0.1.

    \b
    Examples:
      quantbus up --detach
      quantbus up --exchange binance
    """
    from rich.console import Console

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.runtime.lifecycle import run_until_stopped
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings
    from quantbus_services.local.up import detach as start_detached
    from quantbus_services.local.up import local_plan, run_up

    home = load_settings(HomeSettings).home
    chosen = _data(data, exchange)
    plan = local_plan(home, pairs=_pairs(pairs), recipe=recipe, venue=exchange, data=chosen)
    console = Console()
    if not detach:
        sys.exit(run_until_stopped(lambda: run_up(plan, SystemClock(), console), patience_seconds=60))
    arguments = ["--pairs", pairs, "--exchange", exchange, "--recipe", plan.recipe]
    addresses = start_detached(plan, arguments + (["--data", str(chosen)] if chosen else []))
    if as_json:
        console.print_json(data=addresses)
        return
    for name, address in addresses.items():
        console.print(f"{name:>15}  {address}", highlight=False, soft_wrap=True)
    console.print(f"see it in a browser: {addresses['monitor']}/", highlight=False, soft_wrap=True)
    console.print("stop it with `quantbus down`, follow it with `quantbus logs --follow`", highlight=False)
    console.print(
        f"ask about it: QUANTBUS_HOME={plan.home} quantbus monitor check\n"
        f"what happened today: QUANTBUS_HOME={plan.home} quantbus monitor report --day $(date -u +%F)\n"
        f"a key for the gateway: QUANTBUS_HOME={plan.home} quantbus keys create --name mine --scope read --scope write",
        highlight=False,
        soft_wrap=True,
    )


def down() -> None:
    """Stop the stack of this machine and the embedded database; data stays.

    \b
    Example:
      quantbus down
    """
    from rich.console import Console

    from quantbus_contracts.runtime.settings import HomeSettings, load_settings
    from quantbus_services.local.up import take_down

    stopped = take_down(load_settings(HomeSettings).home)
    Console().print("stopped: " + ", ".join(stopped) if stopped else "nothing was running", highlight=False)


def logs(
    follow: Annotated[bool, typer.Option("--follow", help="Go on as lines are added, until Ctrl-C.")] = False,
    lines: Annotated[int, typer.Option(min=1, help="Lines of each log to begin with.")] = 20,
) -> None:
    """Show the logs of the running stack, under the name of each process.

    \b
    Example:
      quantbus logs --follow
    """
    import subprocess

    from quantbus_contracts.runtime.settings import HomeSettings, load_settings
    from quantbus_services.local.up import running_stacks

    home = load_settings(HomeSettings).home
    stacks = running_stacks(home)
    files = [str(file) for stack in stacks for file in sorted((stack.parent / "logs").glob("*.log"))]
    if not files:
        raise ConfigError(
            f"no stack is running; start one with `quantbus up --detach` (what earlier ones wrote is in {home}/stack-*)"
        )
    command = ["tail", "-n", str(lines), *(["-F"] if follow else []), *files]
    sys.exit(subprocess.run(command, check=False).returncode)  # noqa: S603  # fixed program, our own paths
