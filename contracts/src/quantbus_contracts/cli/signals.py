"""``quantbus signals``: publish, check, list, follow, export, and see the whole life of one."""

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console

from quantbus_contracts.cli.arguments import Json, StrategyId, moment_of, parse_duration
from quantbus_contracts.cli.connecting import opened
from quantbus_contracts.errors import ConfigError

if TYPE_CHECKING:
    from quantbus_contracts.mongo.client import Connection

__all__ = ["app"]

app = typer.Typer(help="Publish signals, and see what stands on the bus and why.", no_args_is_help=True)

FormatName = Literal["json", "jsonl", "csv", "parquet"]
Source = Annotated[
    str, typer.Argument(metavar="FILE|-", help="JSON, JSON lines, CSV or Parquet; - is stdin.")
]
Form = Annotated[FormatName | None, typer.Option("--format", help="Where the file's suffix does not say.")]
OwnId = Annotated[str | None, typer.Option("--strategy-id", help="For rows that name no strategy.")]
OwnFrame = Annotated[str | None, typer.Option("--timeframe", help="For rows that name no timeframe.")]
OwnOrigin = Annotated[
    Literal["live", "backfill", "replay"] | None, typer.Option("--origin", help="For rows that name none.")
]
Venue = Annotated[str | None, typer.Option(help="Where pairs without a symbol trade: BINANCE.")]
Pair = Annotated[str | None, typer.Option(help="Of this pair only: BTC/USDT.")]
FrameName = Annotated[str | None, typer.Option("--timeframe", help="Of this timeframe only: 1m, 1h, 1d …")]
Since = Annotated[str | None, typer.Option(help="Bars that open from then on: 2026-01-05T12:00Z, or 2h ago.")]
Until = Annotated[str | None, typer.Option(help="Bars that open before then.")]
AsOf = Annotated[str | None, typer.Option("--as-of", help="As the bus stood then, revisions since left out.")]


@app.command()
def publish(
    source: Source,
    strategy_id: OwnId = None,
    timeframe: OwnFrame = None,
    venue: Venue = None,
    origin: OwnOrigin = None,
    form: Form = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would happen; write nothing.")] = False,
    as_json: Json = False,
) -> None:
    """Publish the rows of a file; the same file again changes nothing. Exit 1 if a row was refused.

    Each row is judged on its own: a bad one takes no good one with it.

    \b
    Examples:
      quantbus signals publish signals.csv --strategy-id demo
      my-model --print-json | quantbus signals publish - --dry-run
    """
    from quantbus_contracts.bus import SignalBus
    from quantbus_contracts.bus.rows import Given
    from quantbus_contracts.cli.signal_files import read_rows
    from quantbus_contracts.cli.signal_publishing import print_report, published

    rows = read_rows(source, form)
    given = Given(strategy_id, _known(timeframe), venue, origin)
    with opened() as (connection, _):
        told = published(SignalBus(connection), rows, given, dry_run=dry_run)
    console = Console()
    if as_json:
        console.print_json(data=told.as_dict() | ({"dry_run": True} if dry_run else {}))
    else:
        if dry_run:
            console.print("nothing was written; publishing would give:")
        print_report(console, told)
    raise typer.Exit(0 if told.ok else 1)


@app.command()
def validate(
    source: Source,
    strategy_id: OwnId = None,
    timeframe: OwnFrame = None,
    venue: Venue = None,
    form: Form = None,
    as_json: Json = False,
) -> None:
    """Check the rows of a file against the contract, without a bus. Exit 1 if one would be refused.

    What the bus knows (the strategy's declaration, what stands already) is asked by `publish --dry-run`.

    \b
    Example:
      quantbus signals validate signals.jsonl
    """
    from quantbus_contracts.bus.rows import Given
    from quantbus_contracts.cli.signal_files import read_rows
    from quantbus_contracts.cli.signal_publishing import checked, print_report

    told = checked(read_rows(source, form), Given(strategy_id, _known(timeframe), venue))
    if as_json:
        Console().print_json(data=told.as_dict())
    else:
        print_report(Console(), told)
    raise typer.Exit(0 if told.ok else 1)


@app.command("list")
def list_signals(
    strategy_id: StrategyId = None,
    pair: Pair = None,
    timeframe: FrameName = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List signals, the newest bar first, each in its newest revision.

    \b
    Examples:
      quantbus signals list --strategy-id demo --pair BTC/USDT --since 2h
      quantbus signals list --as-of 2026-01-05T12:00Z --json
    """
    from quantbus_contracts.cli.signal_rows import flat
    from quantbus_contracts.cli.signal_screens import print_signals
    from quantbus_contracts.mongo.signal_search import SignalFilter, SignalSearch

    with opened() as (connection, now):
        chosen = SignalFilter(
            strategy_id,
            pair,
            _known(timeframe),
            since=moment_of(since, "--since", now),
            until=moment_of(until, "--until", now),
            as_of=moment_of(as_of, "--as-of", now),
        )
        found = SignalSearch(connection, unreadable=_unreadable).newest(chosen, limit=limit)
    console = Console()
    if as_json:
        console.print_json(
            data=[{name: value for name, value in flat(item).items() if value is not None} for item in found]
        )
    elif found:
        print_signals(console, found)
        if len(found) == limit:
            console.print(f"[dim]the newest {limit}; --limit shows more[/]")
    else:
        console.print("no such signals")


@app.command()
def show(
    signal_id: Annotated[str, typer.Argument(metavar="ID", help="A signal's id, or how it begins.")],
    as_json: Json = False,
) -> None:
    """Show the whole life of one signal, and why it was or was not traded. Exit 1 if it is unknown.

    \b
    Example:
      quantbus signals show 3f2a9c
    """
    from quantbus_contracts.cli.signal_life import as_dict, life_of
    from quantbus_contracts.cli.signal_screens import life_screen

    with opened() as (connection, now):
        life = life_of(connection, _full_id(connection, signal_id.lower()), now)
    if life is None:
        Console(stderr=True).print(f"no signal {signal_id}: none stands on this bus", highlight=False)
        raise typer.Exit(1)
    console = Console()
    if as_json:
        console.print_json(data=as_dict(life))
    else:
        life_screen(console, life)


@app.command()
def reasons(
    words: Annotated[
        list[str] | None, typer.Argument(metavar="[REASON]...", help="Only these; all, where none.")
    ] = None,
    as_json: Json = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="As the table of the documentation.")] = False,
) -> None:
    """Say what the reasons of the ledger mean, and what to do about each.

    \b
    Example:
      quantbus signals reasons no_slot locked
    """
    from quantbus_contracts.cli.reason_table import print_reasons, reasons_markdown
    from quantbus_contracts.policy import Reason

    known = {reason.value: reason for reason in Reason}
    unknown = [word for word in words or () if word not in known]
    if unknown:
        raise ConfigError(
            f"expected reasons of the ledger, found {', '.join(unknown)}; see `signals reasons`"
        )
    chosen = [known[word] for word in words or known]
    if as_json:
        told = [{"reason": item.value, "meaning": item.meaning, "remedy": item.remedy} for item in chosen]
        Console().print_json(data=told)
    elif markdown:
        typer.echo(reasons_markdown())
    else:
        print_reasons(Console(), chosen)


@app.command()
def tail(
    strategy_id: StrategyId = None,
    pair: Pair = None,
    timeframe: FrameName = None,
    since: Annotated[
        str | None, typer.Option(help="Begin with what reached the bus since: a time, or 10m ago.")
    ] = None,
    after: Annotated[str | None, typer.Option(help="Continue behind this token, told by --json.")] = None,
    limit: Annotated[
        int | None, typer.Option(min=1, help="End after so many; never, where not given.")
    ] = None,
    patience: Annotated[str, typer.Option(help="How long a bus that is away is waited for.")] = "1h",
    as_json: Json = False,
) -> None:
    """Follow signals as they reach the bus, every revision once, also across a broken connection.

    \b
    Examples:
      quantbus signals tail --strategy-id demo
      quantbus signals tail --since 10m --json | jq .action
    """
    from quantbus_contracts.cli.signal_tail import follow
    from quantbus_contracts.mongo.signal_search import SignalFilter

    seconds = parse_duration(patience, "--patience").total_seconds()
    if since is not None and after is not None:
        raise ConfigError("expected --since or --after, found both")
    chosen = SignalFilter(strategy_id, pair, _known(timeframe))
    with opened() as (_, now):
        begin = moment_of(since, "--since", now)
    try:
        follow(chosen, since=begin, after=after, patience_seconds=seconds, most=limit, as_json=as_json)
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command()
def export(
    out: Annotated[
        str, typer.Option("--out", metavar="FILE|-", help="Whole or not at all; - is stdout.")
    ] = "-",
    form: Form = None,
    strategy_id: StrategyId = None,
    pair: Pair = None,
    timeframe: FrameName = None,
    since: Since = None,
    until: Until = None,
    as_of: AsOf = None,
    as_given: Annotated[
        bool, typer.Option("--as-given", help="Only what publishers gave, ready to be published elsewhere.")
    ] = False,
) -> None:
    """Write signals to a file or standard output, the oldest bar first: JSON lines, CSV or Parquet.

    \b
    Examples:
      quantbus signals export --strategy-id demo --since 7d --out signals.parquet
      quantbus signals export --as-given --format csv > copy.csv
    """
    from quantbus_contracts.cli.signal_files import format_of
    from quantbus_contracts.cli.signal_rows import columns, flat, write_rows
    from quantbus_contracts.mongo.signal_search import SignalFilter, SignalSearch

    path = None if out == "-" else Path(out)
    chosen_form = form or "jsonl" if path is None else format_of(path, form)
    with opened() as (connection, now):
        chosen = SignalFilter(
            strategy_id,
            pair,
            _known(timeframe),
            since=moment_of(since, "--since", now),
            until=moment_of(until, "--until", now),
            as_of=moment_of(as_of, "--as-of", now),
        )
        found = SignalSearch(connection, unreadable=_unreadable).each(chosen)
        rows = (flat(item, as_given=as_given, as_json=chosen_form != "parquet") for item in found)
        count = write_rows(rows, columns(as_given=as_given), chosen_form, path)
    if path is not None:
        Console(stderr=True).print(f"{count:,} signals in {path}", highlight=False)


def _known(timeframe: str | None) -> str | None:
    from quantbus_contracts.timeframe import Timeframe

    return None if timeframe is None else Timeframe.parse(timeframe).name


def _unreadable(identity: str) -> None:
    Console(stderr=True).print(
        f"[yellow]left out:[/] {identity!r} is no signal (it was written past the validators)",
        highlight=False,
    )


def _full_id(connection: "Connection", given: str) -> str:
    """Return the id that begins as given; what is given, where none does."""
    from quantbus_contracts.mongo.signal_search import SignalSearch

    if not re.fullmatch(r"[0-9a-f]{4,32}", given):
        raise ConfigError(
            f"expected a signal's id (32 hexadecimal digits, or the first 4 or more), found {given!r}"
        )
    found = SignalSearch(connection).ids_beginning_with(given)
    if len(found) > 1:
        raise ConfigError(f"expected the id of one signal, found {len(found)} or more: {', '.join(found)}")
    return found[0] if found else given
