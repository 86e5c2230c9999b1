"""The catalogue for people: tables for the terminal, and the table of the documentation."""

from collections.abc import Mapping
from typing import Any

from rich.markup import escape
from rich.table import Table

from quantbus_services.paper_exchange.faults.catalogue import CATALOGUE
from quantbus_services.paper_exchange.faults.spec import FaultSpec

__all__ = ["catalogue_json", "catalogue_table", "markdown_table", "state_table"]


def catalogue_json() -> dict[str, Any]:
    """Return every fault with what it can be given."""
    return {
        "faults": [
            {
                "name": spec.name,
                "layer": spec.layer,
                "venue": spec.venue,
                "client": spec.client,
                "parameters": {
                    name: {"default": item.default, "meaning": item.meaning}
                    for name, item in spec.parameters.items()
                },
            }
            for spec in CATALOGUE
        ]
    }


def catalogue_table() -> Table:
    """Return one line for each fault."""
    table = Table(title="faults")
    for heading in ("fault", "what the exchange does", "can be given"):
        table.add_column(heading, no_wrap=heading == "fault")
    for spec in CATALOGUE:
        table.add_row(spec.name, *(escape(text.replace("`", "")) for text in (spec.venue, _parameters(spec))))
    return table


def state_table(state: Mapping[str, Any]) -> Table:
    """Return what is switched on at an exchange, and what it counted."""
    quiet = ", ".join(f"{name} {count}" for name, count in state["quiet"].items())
    table = Table(title="faults switched on", caption=quiet, min_width=len(quiet) + 4)
    for heading in ("fault", "settings", "injected"):
        table.add_column(heading, overflow="fold")
    injected = dict(state["injected"])
    for name, settings in state["active"].items():
        told = " ".join(f"{key}={value}" for key, value in settings.items())
        table.add_row(name, escape(told), str(injected.pop(name, 0)))
    for name, count in injected.items():
        table.add_row(name, "off", str(count), style="dim")
    if not table.row_count:
        table.add_row("none", "", "", style="dim")
    return table


def markdown_table() -> str:
    """Return the catalogue as the documentation shows it: fault, venue, client, test."""
    lines = ["| fault | what the exchange does | what the client does | proven by |", "|---|---|---|---|"]
    for spec in CATALOGUE:
        path, _, test = spec.test.partition("::")
        given = _parameters(spec)
        does = f"{spec.venue} ({given})" if given else spec.venue
        lines.append(f"| `{spec.name}` | {does} | {spec.client} | [`{test}`](../{path}) |")
    return "\n".join(lines) + "\n"


def _parameters(spec: FaultSpec) -> str:
    return ", ".join(f"`{name}={item.default:g}`: {item.meaning}" for name, item in spec.parameters.items())
