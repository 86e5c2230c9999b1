"""What the demo shows: a line for each thing as it happens, and the tables at the end."""

from datetime import timedelta
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from quantbus_contracts.clock import Clock
from quantbus_services.local.story import Journey, Scene, Trade

__all__ = ["Display"]


class Display:
    """Prints each fact once, with the seconds since the start."""

    def __init__(self, console: Console, clock: Clock) -> None:
        """Print to ``console``, with the time since now."""
        self._console = console
        self._clock = clock
        self._started = clock.now()
        self._from = self._started - timedelta(minutes=3)
        self._told: set[object] = set()

    def say(self, text: str, *, mark: str = "•") -> None:
        """Print one line with the time."""
        self._console.print(
            f"[dim]{(self._clock.now() - self._started).total_seconds():6.1f} s[/] {mark} {text}",
            highlight=False,
            soft_wrap=True,
        )

    def once(self, key: object, text: str, *, mark: str = "•") -> bool:
        """Print a line unless it was printed before; tell whether it was."""
        if key in self._told:
            return False
        self._told.add(key)
        self.say(text, mark=mark)
        return True

    def scene(self, scene: Scene) -> None:
        """Print what is new in ``scene``."""
        for process in scene.processes:
            self.once(("process", process), f"[bold]{process}[/] lives: its first heartbeat is on the bus")
        for symbol, last in sorted(scene.last_bars.items()):
            if last >= self._from:  # a backfill begins with old bars
                text = f"candles of [bold]{symbol}[/] flow: newest bar opened {last:%H:%M} UTC"
                self.once(("candles", symbol), text)
        for item in scene.signals:
            signal = item.signal
            score = f", score {signal.score:+.2f}" if signal.score is not None else ""
            self.once(
                ("signal", item.signal_id, item.version),
                f"signal [cyan]{signal.action}[/] {signal.pair} for the bar of {signal.ts:%H:%M}{score}",
                mark="→",
            )
        for row in scene.executions:
            reason = f" ({row.reason})" if row.reason else ""
            price = f" at {row.price:,.2f}" if row.price else ""
            self.once(
                ("execution", row.key, row.state),
                f"bot: {row.side} {row.pair} [yellow]{row.state.value}[/]{price}{reason}",
                mark="←",
            )
        for trade in scene.trades:
            self._trade(trade)

    def _trade(self, trade: Trade) -> None:
        self.once(
            ("opened", trade.trade_id),
            f"Freqtrade opened trade {trade.trade_id}: {trade.pair} at {trade.open_rate:,.2f}",
            mark="[green]✓[/]",
        )
        if not trade.is_open:
            profit = f"{trade.profit_ratio or 0:+.3%}"
            self.once(
                ("closed", trade.trade_id),
                f"Freqtrade closed trade {trade.trade_id}: {trade.pair} at {trade.close_rate:,.2f} ({profit})",
                mark="[green]✓[/]",
            )

    def journeys(self, rows: list[Journey]) -> None:
        """Print one table row per signal: seconds after its bar closed."""
        table = _table("each signal's way: seconds after its bar closed")
        for name in ("bar", "pair", "action"):
            table.add_column(name, no_wrap=True)
        for name in ("avail.", "seen", "ordered", "filled"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("outcome")
        for row in rows:
            table.add_row(
                f"{row.closed_at:%H:%M}",
                row.pair,
                row.action,
                *(_seconds(value) for value in (row.available, row.seen, row.ordered, row.filled)),
                row.state
                if row.state == "filled" or not row.reason
                else f"{row.state}: {_plain(row.reason)}",
            )
        self._console.print(table)

    def trades(self, trades: tuple[Trade, ...], currency: str) -> None:
        """Print the trades as Freqtrade tells them."""
        table = _table("trades in Freqtrade's dry run")
        for name in ("pair", "opened", "closed"):
            table.add_column(name, no_wrap=True)
        for name in ("entry", "exit", currency, "profit"):
            table.add_column(name, justify="right", no_wrap=True)
        table.add_column("why")
        for trade in trades:
            closed = not trade.is_open
            table.add_row(
                trade.pair,
                trade.opened_at[11:19],
                (trade.closed_at or "")[11:19] if closed else "open",
                f"{trade.open_rate:,.2f}",
                f"{trade.close_rate:,.2f}" if closed and trade.close_rate else "",
                f"{trade.profit:+,.2f}" if closed and trade.profit is not None else "",
                f"{trade.profit_ratio:+.2%}" if closed and trade.profit_ratio is not None else "",
                _plain((trade.exit_reason or "").partition(":")[0]) if closed else "",
            )
        self._console.print(table)

    def verdict(self, status: dict[str, Any]) -> None:
        """Print what the monitor thinks of it all."""
        if status["ok"]:
            self._console.print("[bold green]monitor: all is well[/], open trades agree with the signals")
            return
        self._console.print("[bold yellow]monitor: not all is well[/]")
        for finding in status["findings"]:
            text = f"  {finding['severity']}: {finding['kind']} {finding['subject']}: {finding['message']}"
            self._console.print(text, highlight=False)
        for check in status["checks"]:
            if check["outcome"] == "unknown":
                self._console.print(f"  unknown: {check['name']}: {check['error']}", highlight=False)

    def line(self, text: str) -> None:
        """Print a plain line."""
        self._console.print(text, highlight=False, soft_wrap=True)


def _table(title: str) -> Table:
    return Table(
        title=title,
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        collapse_padding=True,
    )


def _plain(name: str) -> str:
    return name.replace("_", " ")


def _seconds(value: float | None) -> str:
    return f"{value:.1f}" if value is not None else "–"
