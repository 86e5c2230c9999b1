"""What people see of signals: the lines of a list, the line of a live signal, the life on one screen, the report."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.cli.sentences import sentence_of
from quantbus_contracts.cli.signal_life import Hop, Life, hops_of, verdict_on
from quantbus_contracts.cli.signal_rows import content_of
from quantbus_contracts.schema import PublishedSignal, Revision, Signal

__all__ = ["life_screen", "live_line", "print_signals"]

_BESIDES = ("stop_price", "ref_price", "leverage", "degraded", "note", "source", "model_id", "code_version")


def print_signals(console: Console, signals: Sequence[PublishedSignal]) -> None:
    """Print a heading and one line for each signal, columns aligned and ids whole, however narrow the screen."""
    for line in _lines(signals):
        console.print(line, highlight=False, soft_wrap=True)


def _lines(signals: Sequence[PublishedSignal]) -> list[str]:
    heading = ("bar", "strategy", "pair", "tf", "says", "v", "available", "id", "by")
    cells = [heading, *(_cells(item) for item in signals)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    lines = [f"[dim]{_aligned(heading, widths)}[/]"]
    for item, row in zip(signals, cells[1:], strict=True):
        before, says, after = row[:4], row[4], row[5:]
        color = _color(item.signal)
        lines.append(
            f"{_aligned(before, widths)}  [{color}]{says.ljust(widths[4])}[/]  {_aligned(after, widths[5:])}".rstrip()
        )
    return lines


def _cells(item: PublishedSignal) -> tuple[str, ...]:
    signal = item.signal
    return (
        f"{signal.ts:%Y-%m-%d %H:%M}",
        signal.strategy_id,
        signal.pair,
        signal.timeframe,
        content_of(signal) + ("" if signal.origin == "live" else f" ({signal.origin})"),
        str(item.version),
        f"{item.available_at:%m-%d %H:%M:%S}",
        item.signal_id,
        item.published_by,
    )


def _aligned(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return escape("  ".join(padded))


def live_line(item: PublishedSignal) -> str:
    """Return one line for a signal that has just reached the bus."""
    signal = item.signal
    version = "" if item.version == 1 else f" [yellow]v{item.version}[/]"
    return (
        f"[dim]{item.available_at:%H:%M:%S.%f}"[:-3]
        + f"[/] {signal.strategy_id} [bold]{escape(signal.pair)}[/] "
        f"{signal.timeframe} bar {signal.ts:%m-%d %H:%M} {_colored(signal)}{version} [dim]{item.signal_id}[/]"
    )


def _colored(signal: Signal) -> str:
    return f"[{_color(signal)}]{content_of(signal)}[/]"


def _color(signal: Signal) -> str:
    leaning = signal.weight if signal.weight is not None else signal.score or 0.0
    if signal.action is not None:
        return {"enter_long": "green", "enter_short": "red"}.get(signal.action, "cyan")
    return "green" if leaning > 0 else "red" if leaning < 0 else "cyan"


def life_screen(console: Console, life: Life) -> None:
    """Print the whole life of one signal."""
    signal, published = life.published.signal, life.published
    console.print(
        f"[bold]{signal.strategy_id}[/]  [bold]{escape(signal.pair)}[/]  {signal.timeframe}  {escape(signal.symbol)}"
        f"  bar {signal.ts:%Y-%m-%d %H:%M} UTC  {_colored(signal)}  [dim]{published.signal_id}[/]"
    )
    for sentence in verdict_on(life):
        console.print(f"  {escape(sentence)}", highlight=False)
    console.print()
    console.print(_facts(published))
    console.print()
    console.print(_revisions(published))
    console.print()
    console.print(_way(life))
    if life.executions:
        console.print()
        console.print(_ledger(life))
    for control in life.controls:
        until = f"until {_at(control.expires_at)}" if control.expires_at else "until it is lifted"
        console.print(
            f"  [yellow]in force now:[/] {control.kind.value} on {escape(control.scope)} by {control.source}, "
            f"{until}: {escape(control.reason)}"
        )


def _facts(published: PublishedSignal) -> Table:
    signal = published.signal
    table = Table.grid(padding=(0, 2))
    own = "given" if signal.valid_until is not None else "set by the bus"
    table.add_row("valid until", f"{_at(published.valid_until)} ({own})")
    if signal.origin != "live":
        table.add_row("origin", signal.origin)
    for name in _BESIDES:
        value = getattr(signal, name)
        if value is not None:
            table.add_row(name.replace("_", " "), escape(str(value)))
    return table


def _revisions(published: PublishedSignal) -> Table:
    table = Table("version", "available", "published by", "says", "changed", box=None, title_justify="left")
    former: Signal | None = None
    states: list[Revision | PublishedSignal] = [*published.history, published]
    for state in states:
        changed = [
            name
            for name, value in state.signal.content.items()
            if former is not None and former.content[name] != value
        ]
        table.add_row(
            str(state.version),
            _at(state.available_at),
            escape(state.published_by),
            content_of(state.signal),
            ", ".join(changed),
        )
        former = state.signal
    return table


def _way(life: Life) -> Table:
    """One column for each step from the bar's close to the fill, one row for each consumer."""
    ways: Sequence[tuple[str, list[Hop]]] = [
        (item.consumer_id, hops_of(life.published, item)) for item in life.executions
    ] or [("–", hops_of(life.published))]
    table = Table("consumer", *(hop.name for hop in ways[0][1]), box=None)
    for consumer, hops in ways:
        table.add_row(escape(consumer), *(_step(hop) for hop in hops))
    return table


def _step(hop: Hop) -> str:
    if hop.at is None:
        return "[dim]–[/]"
    return f"{hop.at:%H:%M:%S}" + (f" [dim]{_gap(hop.after)}[/]" if hop.after is not None else "")


def _gap(gap: timedelta) -> str:
    seconds = gap.total_seconds()
    if abs(seconds) < 120:
        return f"{seconds:+.2f} s"
    return f"{seconds / 60:+.0f} min" if abs(seconds) < 7_200 else f"{seconds / 3_600:+.1f} h"


def _ledger(life: Life) -> Table:
    table = Table("consumer", "version", "state", "trade", "what it did", box=None)
    for item in life.executions:
        trade = "" if item.trade_id is None else str(item.trade_id)
        table.add_row(
            escape(item.consumer_id), str(item.version), item.state.value, trade, escape(sentence_of(item))
        )
    return table


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
