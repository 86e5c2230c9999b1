"""Progress bars on standard error."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from quantbus_services.ingestion.backfill import Filled
from quantbus_services.ingestion.series import Series

__all__ = ["count_progress", "file_progress", "named_progress", "series_progress"]


class _RowsPerSecond(ProgressColumn):
    def render(self, task: Task) -> Text:
        speed = (task.finished_speed or task.speed) if task.fields.get("rows") else None
        return Text(f"{speed:,.0f} rows/s" if speed else "", style="green")


def _new_progress(unit: str) -> Progress:
    """Return a progress display: what, bar, count, rows per second, time left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(unit),
        _RowsPerSecond(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,  # the report says the same, and an error stands alone
    )


@contextmanager
def count_progress(what: str) -> Generator[Callable[[int, int], None]]:
    """Show one bar that counts ``what``."""
    with _new_progress(what) as progress:
        task = progress.add_task("", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextmanager
def file_progress(count: int) -> Generator[Callable[[Path, int, int], None]]:
    """Show one bar for all files, and one for the rows of the file at work."""
    with _new_progress("") as progress:
        files = progress.add_task("files", total=count)
        rows = progress.add_task("", total=None, rows=True)
        seen: list[Path] = []

        def note(path: Path, done: int, total: int) -> None:
            if not seen or seen[-1] != path:
                seen.append(path)
                progress.reset(rows, description=escape(path.name), total=total)
                progress.update(files, completed=len(seen) - 1)
            progress.update(rows, completed=done)

        yield note
        progress.update(files, completed=count)


@contextmanager
def series_progress() -> Generator[Callable[[Filled], None]]:
    """Show one bar for all series together, with the time left, and one for each that is being filled now.

    What counts is what was not on the bus before: a run that goes on from an earlier one tells its own time.
    """
    tasks: dict[Series, TaskID] = {}
    newest: dict[Series, Filled] = {}
    with _new_progress("bars") as progress:
        everything = progress.add_task("all series", total=None, rows=True)

        def note(filled: Filled) -> None:
            series = filled.series
            newest[series] = filled
            if series not in tasks:
                tasks[series] = progress.add_task(str(series), total=filled.to_ask, rows=True)
            is_done = filled.asked >= filled.to_ask
            progress.update(tasks[series], completed=filled.asked, total=filled.to_ask, visible=not is_done)
            progress.update(
                everything,
                completed=sum(item.asked for item in newest.values()),
                total=sum(item.to_ask for item in newest.values()),
                description=f"{sum(item.asked >= item.to_ask for item in newest.values())} series done",
            )

        yield note


@contextmanager
def named_progress() -> Generator[Callable[[str, int, int], None]]:
    """Show one bar for a number of things that are looked at in turn."""
    with _new_progress("") as progress:
        task = progress.add_task("", total=None)

        def note(what: str, done: int, total: int) -> None:
            progress.update(task, description=escape(what), completed=done, total=total)

        yield note
