"""``quantbus replay``: one past three ways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from datetime import datetime

    from quantbus_executor.replay.report import ReplayReport

__all__ = ["replay"]

StrategyId = Annotated[str, typer.Option("--strategy", help="Whose signals to replay.")]
Start = Annotated[str, typer.Option("--from", help="Open of the first bar: 2026-01-05T12:00:00Z.")]
End = Annotated[str, typer.Option("--to", help="Where the last bar ends.")]
Pairs = Annotated[str | None, typer.Option(help="Some of the strategy's pairs: BTC/USDT,ETH/USDT. [all]")]
Config = Annotated[
    list[Path] | None, typer.Option("--config", "-c", help="Config of the bot. [config.dryrun.json]")
]
Speed = Annotated[
    float | None,
    typer.Option(
        help="1: the real bot lives through it too, in real time. More: how fast the simulated loop goes at most. "
        "[as fast as it can, without the real bot]"
    ),
]
Fee = Annotated[float, typer.Option(help="Fee of an order, as a share of its worth.")]
Folder = Annotated[
    Path | None, typer.Option("--out", help="New folder for candles, logs and report.json. [a temporary one]")
]
Json = Annotated[bool, typer.Option("--json", help="Print the report as JSON.")]


def replay(
    strategy: StrategyId,
    start: Start,
    end: End,
    pairs: Pairs = None,
    config: Config = None,
    speed: Speed = None,
    fee: Fee = 0.001,
    out: Folder = None,
    as_json: Json = False,
) -> None:
    """Replay a strategy's stored signals three ways, and name every difference. Exit 1 if one has no name.

    By Freqtrade's backtest, by the policy in a simulated live loop, and with --speed 1 by the real bot in dry run
    against the paper exchange, on bars and signals that are moved to now.

    \b
    Examples:
      quantbus replay --strategy demo --from 2026-01-05T12:00:00Z --to 2026-01-05T18:00:00Z
      quantbus replay --strategy demo --from 2026-01-05T12:00:00Z --to 2026-01-05T12:10:00Z --speed 1 --json
    """
    import json

    from rich.console import Console

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.errors import ConfigError
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings
    from quantbus_executor.configs.files import shipped_config, userdir
    from quantbus_executor.configs.reading import merged_config
    from quantbus_executor.replay.commands import environment_with
    from quantbus_executor.replay.dry_run import DryRunPlace
    from quantbus_executor.replay.replaying import ReplayWish
    from quantbus_executor.replay.replaying import replay as run

    if speed is not None and speed < 1:
        raise ConfigError(f"--speed: expected 1 or more, found {speed!r}")
    folder = _new_folder(out)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    wish = ReplayWish(
        strategy_id=strategy,
        start=_moment("--from", start),
        end=_moment("--to", end),
        base=merged_config(config or [shipped_config()], {}),
        pairs=tuple(pair.strip() for pair in (pairs or "").split(",") if pair.strip()),
        speed=speed,
        fee=fee,
    )
    place = DryRunPlace(folder, userdir(), load_settings(MongoSettings), environment_with({}))
    with console.status("replaying") as status:
        report = run(wish, place, SystemClock(), tell=lambda text: status.update(f"replaying: {text}"))
    report.save(folder / "report.json")
    if as_json:
        typer.echo(json.dumps(report.as_dict()))
    else:
        _show(report, folder)
    raise typer.Exit(0 if report.ok else 1)


def _new_folder(out: Path | None) -> Path:
    import tempfile

    from quantbus_contracts.errors import ConfigError

    if out is None:
        return Path(tempfile.mkdtemp(prefix="quantbus-replay-"))
    if out.exists():
        raise ConfigError(f"--out: expected a folder that does not exist yet, found {str(out)!r}")
    out.mkdir(parents=True)
    return out


def _moment(option: str, text: str) -> datetime:
    from datetime import UTC, datetime

    from quantbus_contracts.errors import ConfigError

    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ConfigError(
            f"{option}: expected a moment such as 2026-01-05T12:00:00Z, found {text!r}"
        ) from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _show(report: ReplayReport, folder: Path) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    runs = Table("run", "trades", "profit")
    for outcome in report.outcomes:
        curve = outcome.equity()
        runs.add_row(outcome.name, str(len(outcome.trades)), f"{curve[-1][1]:+.4f}" if curve else "0")
    console.print(runs)
    for comparison in report.comparisons:
        table = Table("kind", "bar", "pair", comparison.left, comparison.right)
        for difference in comparison.differences:
            cells = (difference.kind.value, f"{difference.moment:%m-%d %H:%M:%S}", difference.pair)
            table.add_row(*cells, difference.left, difference.right)
        title = f"{comparison.left} and {comparison.right}: "
        console.print(title + ("no difference" if not comparison.differences else ""))
        if comparison.differences:
            console.print(table)
    for leak in report.leaks:
        console.print(f"[bold red]leak[/bold red] {leak}")
    verdict = (
        "every difference has a name" if report.ok else "[bold red]not every difference has a name[/bold red]"
    )
    console.print(f"{verdict}; all of it is in {folder / 'report.json'}")
