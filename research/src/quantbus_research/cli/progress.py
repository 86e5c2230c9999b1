"""Shows how a run goes on: a line for every node, on standard error."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from rich.console import Console
from rich.live import Live
from rich.table import Table

if TYPE_CHECKING:
    from quantbus_research.settings import Recipe
    from quantbus_research.workflows.runs import Done

__all__ = ["NodeLines"]

_STYLES = {"waiting": "dim", "running": "yellow", "cached": "cyan", "done": "green", "failed": "bold red"}


class NodeLines:
    """Every node with its state, seconds and rows: on a terminal in place, elsewhere a line when it ends."""

    def __init__(self, recipe: "Recipe", names: tuple[str, ...], console: Console) -> None:
        """Show the named nodes."""
        self._kinds = {name: recipe.nodes[name].kind for name in names}
        self._states = dict.fromkeys(names, "waiting")
        self._began: dict[str, float] = {}
        self._told: dict[str, tuple[float, int, str]] = {}
        self._console = console

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keep the lines on the terminal up to date meanwhile."""
        if not self._console.is_terminal:
            yield
            return
        with Live(console=self._console, get_renderable=self._table, refresh_per_second=4):
            yield

    def started(self, name: str) -> None:
        """Hear that a node is being worked on."""
        self._states[name] = "running"
        self._began[name] = time.monotonic()

    def ended(self, name: str, done: "Done", rows: int) -> None:
        """Hear what became of a node."""
        remark = "its artefact was damaged and made again" if done.mended else ""
        remark = (
            "not what the cache had: the kind leaves out something it depends on" if done.differs else remark
        )
        self._states[name] = str(done.outcome)
        self._told[name] = (done.seconds, rows, remark)
        if not self._console.is_terminal:
            told = (
                f"{self._states[name]:<7} {name} ({self._kinds[name]}): {done.seconds:.1f} s, {rows:,} rows"
            )
            self._console.print(f"{told}; {remark}" if remark else told, highlight=False, soft_wrap=True)

    def _table(self) -> Table:
        table = Table("node", "kind", "state", box=None)
        table.add_column("seconds", justify="right")
        table.add_column("rows", justify="right")
        table.add_column("")
        for name, state in self._states.items():
            seconds, rows, remark = self._told.get(name, (None, None, ""))
            if state == "running":
                seconds = time.monotonic() - self._began[name]
            table.add_row(
                name,
                self._kinds[name],
                f"[{_STYLES[state]}]{state}",
                "" if seconds is None else f"{seconds:.1f}",
                "" if rows is None else f"{rows:,}",
                remark,
            )
        return table
