"""``quantbus doctor``: what is wrong with this installation, and what to do about it."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from quantbus_services.doctor.findings import Finding, Status

__all__ = ["doctor"]

_COLOURS: "dict[Status, str]" = {
    "ok": "green",
    "warn": "yellow",
    "fail": "bold red",
    "unknown": "magenta",
    "skipped": "dim",
}


def doctor(
    only: Annotated[
        list[str] | None,
        typer.Option(
            help="Look at this part only: machine, bus, venue, bot, watch; may be given several times."
        ),
    ] = None,
    bot_config: Annotated[
        list[Path] | None, typer.Option(help="A bot's config to check; may be given several times.")
    ] = None,
    compose: Annotated[
        Path | None,
        typer.Option(
            help="Look at the containers of this folder's docker-compose.yml, from outside and inside."
        ),
    ] = None,
    offline: Annotated[bool, typer.Option("--offline", help="Do not ask the exchange.")] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Exit 1 for a warning too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")] = False,
) -> None:
    """Look at the whole installation: each check says what it expected, what it found and what to do.

    Nothing is changed. Exit 0: sound; 1: something fails or could not be looked at; 2: wrong use.

    \b
    Example:
      quantbus doctor
      quantbus doctor --only bus --only machine --json
      quantbus doctor --bot-config bot.json --strict
      quantbus doctor --compose .
    """
    from quantbus_contracts.errors import ConfigError
    from quantbus_services.doctor.catalogue import GROUPS
    from quantbus_services.doctor.findings import is_sound
    from quantbus_services.doctor.rounds import look_around, look_at_stack

    parts = [group for group in GROUPS if group != "compose"]
    if strange := sorted(set(only or ()) - set(parts)):
        raise ConfigError(
            f"expected --only with one of {', '.join(parts)}, found {', '.join(map(repr, strange))}"
        )
    if compose is not None and not (compose / "docker-compose.yml").is_file():
        raise ConfigError(f"expected a docker-compose.yml in {str(compose)!r}, found none")
    if compose is None:
        found = look_around(only or parts, bot_config or (), offline=offline)
    else:
        found = look_at_stack(compose, offline=offline)
    sound = is_sound(found, strict=strict)
    if as_json:
        from rich.console import Console

        from quantbus_services.doctor.findings import STATUSES

        counts = {status: sum(item.status == status for item in found) for status in STATUSES}
        Console().print_json(
            data={"sound": sound, "counts": counts, "findings": [asdict(one) for one in found]}
        )
    else:
        _print(found, sound=sound)
    raise typer.Exit(0 if sound else 1)


def _print(found: "Sequence[Finding]", *, sound: bool) -> None:
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from quantbus_services.doctor.examination import WITHOUT_BUS

    console = Console(highlight=False)
    table = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    unasked = [item.check for item in found if item.advice == WITHOUT_BUS]
    for item in found:
        if item.check in unasked:
            continue
        told = escape(item.found)
        if item.status in ("warn", "fail", "unknown"):
            told = f"expected {escape(item.expected)}; found: {told}\n→ {escape(item.advice)}"
        table.add_row(f"[{_COLOURS[item.status]}]{item.status}[/]", item.check, told)
    if unasked:
        table.add_row(f"[{_COLOURS['unknown']}]unknown[/]", "the bus", f"not asked: {', '.join(unasked)}")
    console.print(table)
    counts = [
        f"{count} {status}" for status in _COLOURS if (count := sum(item.status == status for item in found))
    ]
    verdict = "[bold green]sound[/]" if sound else "[bold red]not sound[/]"
    console.print(f"{', '.join(counts)}: {verdict}")
