"""Runs the whole graph of a recipe for the command line, and says what came of it."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from quantbus_research.settings import Recipe
    from quantbus_research.workflows.nodes import Artefact
    from quantbus_research.workflows.runs import Rehearsal, RunOptions, RunReport, Surroundings

__all__ = ["rehearse", "run_whole"]

_SHOWN_ROWS = 20
_WOULD = {
    "read": "would be read",
    "run": "would be run",
    "cached": "is in the cache",
    "write": "would publish",
}


def run_whole(recipe: "Recipe", as_of: datetime | None, options: "RunOptions", *, as_json: bool) -> None:
    """Run the graph; exit 1 if a gate refuses or rows are rejected."""
    from rich.console import Console

    from quantbus_contracts.runtime.settings import load_settings
    from quantbus_research.cli.progress import NodeLines
    from quantbus_research.settings import WorkerSettings
    from quantbus_research.workflows.runs import CACHE, ArtefactStore, chosen_nodes, run_graph

    limit = load_settings(WorkerSettings).cache_gb
    with _surroundings(recipe) as where:
        names = chosen_nodes(recipe, options.only, where.kinds)
        lines = NodeLines(recipe, names, Console(stderr=True))
        with lines.shown():
            report = run_graph(recipe, where, lines, as_of=as_of, options=options)
        ArtefactStore(where.home / CACHE).trim(int(limit * 1e9), where.clock.now())
    if as_json:
        typer.echo(json.dumps(_told(report)))
    else:
        _print(report, options, Console())
    if report.refused or _rejected(report.artefacts):
        raise typer.Exit(1)


def rehearse(recipe: "Recipe", as_of: datetime | None, options: "RunOptions", *, as_json: bool) -> None:
    """Say what a run would do; write nothing."""
    from rich.console import Console

    from quantbus_research.workflows.runs import rehearse_graph

    with _surroundings(recipe) as where:
        rehearsal = rehearse_graph(recipe, where, as_of=as_of, options=options)
    if as_json:
        signals = {name: _rows(artefact) for name, artefact in rehearsal.published.items()}
        typer.echo(json.dumps({"nodes": dict(rehearsal.nodes), "signals": signals}))
        return
    console = Console()
    for name, would in rehearsal.nodes.items():
        console.print(
            f"{name} ({recipe.nodes[name].kind}) {_WOULD[would]}{_known(rehearsal, name, would)}",
            highlight=False,
            soft_wrap=True,
        )
    for name, artefact in rehearsal.published.items():
        _print_rows(name, artefact, console)


def _known(rehearsal: "Rehearsal", name: str, would: str) -> str:
    if would != "write" or name in rehearsal.published:
        return ""
    return ", which is known once the others have been run"


@contextmanager
def _surroundings(recipe: "Recipe") -> "Iterator[Surroundings]":
    """Yield where a run takes place; the bus is connected to where a node first needs it."""
    from functools import cache

    from quantbus_contracts.clock import SystemClock
    from quantbus_contracts.mongo.client import Connection, connect
    from quantbus_contracts.runtime.settings import HomeSettings, MongoSettings, load_settings
    from quantbus_research.workflows import Session, open_session
    from quantbus_research.workflows.runs import Surroundings

    settings, clock, opened = load_settings(HomeSettings), SystemClock(), list[Connection]()

    @cache
    def session() -> Session:
        opened.append(connect(load_settings(MongoSettings), app="research", timeout_seconds=10.0))
        return open_session(recipe, opened[0], settings.home, clock)

    try:
        yield Surroundings(settings.home, clock, session)
    finally:
        for connection in opened:
            connection.close()


def _told(report: "RunReport") -> dict[str, object]:
    manifest = report.manifest
    return {
        "run_id": manifest.run_id,
        "strategy_id": manifest.strategy_id,
        "state": manifest.state,
        "resumed": report.resumed,
        "folder": str(report.folder),
        "files": [str(path) for path in report.files],
        "manifest_hash": manifest.manifest_hash,
        "refused": list(manifest.refused),
        "nodes": {name: done.model_dump(mode="json") for name, done in manifest.nodes.items()},
        "facts": {name: dict(artefact.facts) for name, artefact in report.artefacts.items()},
        "signals": {name: _rows(artefact) for name, artefact in report.artefacts.items() if artefact.tables},
    }


def _rows(artefact: "Artefact") -> list[dict[str, object]]:
    rows: list[dict[str, object]] = [
        row
        for table in artefact.tables.values()
        for row in json.loads(table.to_json(orient="records", date_format="iso"))
    ]
    return rows


def _rejected(artefacts: Mapping[str, "Artefact"]) -> int:
    counts = [_counts(artefact) for artefact in artefacts.values()]
    return sum(int(count.get("rejected", 0)) for count in counts)


def _counts(artefact: "Artefact") -> Mapping[str, Any]:
    published = artefact.facts.get("published")
    return published if isinstance(published, dict) else {}


def _print(report: "RunReport", options: "RunOptions", console: "Console") -> None:
    from quantbus_research.settings.nodes import ArtefactType

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    for artefact in report.artefacts.values():
        for told in _verdicts(artefact):
            say(told)
    for name, artefact in report.artefacts.items():
        for told in _judgement(artefact):
            say(f"{name}: {told}")
        if artefact.type is ArtefactType.SIGNALS:
            _print_rows(name, artefact, console)
            say(_what_became(artefact, options))
            if artefact.facts.get("held_back"):
                say(f"{artefact.facts['held_back']} held back: {artefact.facts['trouble']}")
    for path in report.files:
        say(f"wrote {path}")
    if report.refused:
        say(f"refused by {', '.join(report.manifest.refused)}")
    how = f"{report.manifest.state}{', resumed' if report.resumed else ''}"
    say(
        f"run {report.manifest.run_id} ({how}), manifest {str(report.manifest.manifest_hash)[:16]}: {report.folder}"
    )


def _verdicts(artefact: "Artefact") -> list[str]:
    """Return what each gate said."""
    verdicts = artefact.facts.get("verdicts")
    return [
        f"{'passed' if verdict['passed'] else 'refused'}  {verdict['gate']}: {verdict['told']}"
        for verdict in (verdicts if isinstance(verdicts, list) else [])
        if isinstance(verdict, dict)
    ]


def _judgement(artefact: "Artefact") -> list[str]:
    """Return what a report says of a backtest: its verdict, then its doubts."""
    verdict, doubts = artefact.facts.get("verdict"), artefact.facts.get("doubts")
    return [str(verdict), *(map(str, doubts) if isinstance(doubts, list) else ())] if verdict else []


def _what_became(artefact: "Artefact", options: "RunOptions") -> str:
    counts = _counts(artefact)
    if counts:
        return "published: " + ", ".join(f"{count} {name}" for name, count in counts.items())
    return "nothing was published: a dry run" if options.dry else "nothing was published"


def _print_rows(name: str, artefact: "Artefact", console: "Console") -> None:
    from rich.table import Table

    for rows in artefact.tables.values():
        shown = Table(*map(str, rows.columns), title=f"{name}: {len(rows)} rows")
        newest = rows.sort_values("ts", kind="stable") if "ts" in rows.columns else rows
        for row in newest.tail(_SHOWN_ROWS).itertuples(index=False):
            shown.add_row(*("" if value != value else str(value) for value in row))
        if len(rows) > _SHOWN_ROWS:
            shown.caption = f"the newest {_SHOWN_ROWS}; --json prints all"
        console.print(shown)
