"""What people see of signals: the lines of a list, the line of a live signal, the life on one screen, the report."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding
from rich.table import Table

from quantbus_contracts.cli.signal_rows import content_of
from quantbus_contracts.policy import Hop, Life, hops_of, remedies_for, verdict_on
from quantbus_contracts.schema import Control, PublishedSignal, Revision, RiskState, Signal

__all__ = ["life_screen", "live_line", "print_signals"]

_ALWAYS = ("bar close", "available", "seen")
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
    """Print the whole life of one signal: first why it was or was not traded, then what that is concluded from."""
    signal, published = life.published.signal, life.published
    bar = f"{signal.timeframe}  bar {signal.ts:%Y-%m-%d %H:%M} UTC"
    heading = f"[bold]{signal.strategy_id}  {escape(signal.pair)}[/]  {bar}  {_colored(signal)}"
    console.print(heading, highlight=False)
    console.print(f"[dim]{escape(signal.symbol)}  {published.signal_id}[/]", highlight=False, soft_wrap=True)
    console.print()
    short, *more = verdict_on(life)
    console.print(f"[bold]{escape(short)}[/]", highlight=False)
    for sentence in more:
        console.print(Padding(escape(sentence), (0, 0, 0, 2)), highlight=False)
    for reason, remedy in remedies_for(life).items():
        console.print(Padding(f"[cyan]{reason} → {escape(remedy)}[/]", (0, 0, 0, 2)), highlight=False)
    parts: list[tuple[str, Table]] = [("the signal", _facts(life)), ("revisions", _revisions(published))]
    parts.append(("the way from the bar's close", _way(life)))
    parts += [("the ledger", _ledger(life))] if life.executions else []
    parts += [("fills", _fills(life))] if life.fills else []
    parts += (
        [("controls and risk at that time, or now", _restraints(life))] if life.controls or life.risks else []
    )
    for title, part in parts:
        console.print(f"\n[bold blue]{title}[/]", highlight=False)
        console.print(Padding(part, (0, 0, 0, 2)))


def _facts(life: Life) -> Table:
    published, signal = life.published, life.published.signal
    table = Table.grid(padding=(0, 2))
    if life.window.start < life.window.end:
        span = f"{life.window.start:%Y-%m-%d %H:%M:%S} to {life.window.end:%H:%M:%S} UTC"
        table.add_row("to be entered", f"{span}, then {life.window.ended_by}; by default rules")
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
    table = _table("version", "available", "published by", "says", "changed")
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
        (item.consumer_id, hops_of(life.published, item, ingested_at=life.ingested_at))
        for item in life.executions
    ] or [("–", hops_of(life.published, ingested_at=life.ingested_at))]
    told = [
        number
        for number, hop in enumerate(ways[0][1])
        if any(hops[number].at for _, hops in ways) or hop.name in _ALWAYS
    ]
    table = _table("consumer", *(ways[0][1][number].name for number in told))
    for consumer, hops in ways:
        table.add_row(escape(consumer), *(_step(hops[number]) for number in told))
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
    table = _table("consumer", "version", "side", "state", "reason", "trade", "slippage")
    for item in life.executions:
        table.add_row(
            escape(item.consumer_id),
            str(item.version),
            item.side or "",
            item.state.value,
            escape(item.reason or ""),
            "" if item.trade_id is None else str(item.trade_id),
            "" if item.slippage is None else f"{item.slippage:+.4%}",
        )
    return table


def _fills(life: Life) -> Table:
    table = _table("filled", "consumer", "side", "amount", "price", "order")
    for fill in life.fills:
        table.add_row(
            f"{fill.filled_at:%m-%d %H:%M:%S}",
            escape(fill.consumer_id),
            f"{fill.side} ({fill.purpose})",
            f"{fill.amount:g}",
            f"{fill.price:g}",
            escape(fill.order_id) + ("" if not fill.dry_run or "dry_run" in fill.order_id else " (dry run)"),
        )
    return table


def _restraints(life: Life) -> Table:
    """Controls and risk rows that counted while the signal could be entered, or do now."""
    table = _table("what", "on", "from", "until", "why")
    for control in life.controls:
        table.add_row(f"[yellow]{control.kind.value}[/]", *_standing(life, escape(control.scope), control))
    for state in life.risks:
        denies = ", no entries" if state.denies_entries else ""
        said = f"[yellow]risk {state.level.value}[/] ×{state.stake_scale:g}{denies}"
        table.add_row(said, *_standing(life, f"{state.strategy_id} {escape(state.pair)}", state))
    return table


def _table(*names: str) -> Table:
    """Return a table whose cells break no words; the last column takes what is left of the line."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
    for name in names[:-1]:
        table.add_column(name, no_wrap=True, header_style="dim")
    table.add_column(names[-1], overflow="fold", header_style="dim")
    return table


def _standing(life: Life, on: str, row: Control | RiskState) -> tuple[str, str, str, str]:
    until = "it is lifted" if row.expires_at is None else f"{row.expires_at:%m-%d %H:%M:%S}"
    over = "" if row.is_active(life.now) else " [dim](over)[/]"
    return on, f"{row.at:%m-%d %H:%M:%S}", until + over, f"{escape(row.reason)} [dim]({escape(row.by)})[/]"


def _at(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
