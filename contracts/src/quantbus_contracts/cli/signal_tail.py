"""Signals as they come, one line each, until interrupted."""

import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING

from rich.console import Console

from quantbus_contracts.cli.connecting import NOBODY_THERE_SECONDS, open_connection
from quantbus_contracts.cli.signal_rows import flat
from quantbus_contracts.cli.signal_screens import live_line
from quantbus_contracts.errors import BusUnavailable

if TYPE_CHECKING:
    from quantbus_contracts.mongo.signal_search import SignalFilter
    from quantbus_contracts.mongo.signal_stream import SignalEvent

__all__ = ["follow"]

_LOOK_UP_SECONDS = 1.0


def follow(
    chosen: "SignalFilter",
    *,
    since: datetime | None,
    after: str | None,
    patience_seconds: float,
    most: int | None,
    as_json: bool,
) -> None:
    """Print signals as they reach the bus; what is said about the connection goes to standard error.

    Raises
    ------
    BusUnavailable
        If the bus does not answer at the start, or not for longer than ``patience_seconds``.
    """
    from quantbus_contracts.mongo.signal_stream import SignalStream

    aside = Console(stderr=True, highlight=False)

    def broken(error: BusUnavailable) -> None:
        aside.print(f"[yellow]connection lost[/], trying again: {str(error)[:200]}", soft_wrap=True)

    stream = SignalStream(
        lambda: open_connection(NOBODY_THERE_SECONDS), chosen, since=since, after=after, on_break=broken
    )
    shown, was_broken = 0, False
    with stream:
        aside.print("[dim]following; end with Ctrl-C[/]")
        while most is None or shown < most:
            event = stream.next_event(wait_seconds=_LOOK_UP_SECONDS)
            if stream.broken_for_seconds > patience_seconds:
                raise BusUnavailable(
                    f"the bus did not come back within {patience_seconds:.0f} s; "
                    f"continue with --after {stream.token}"
                )
            if was_broken and not stream.broken_for_seconds:
                aside.print("[green]connected again[/]; nothing was missed")
            was_broken = stream.broken_for_seconds > 0
            if event is not None:
                _show(event, as_json=as_json)
                shown += 1


def _show(event: "SignalEvent", *, as_json: bool) -> None:
    if as_json:
        row = {name: value for name, value in flat(event.published).items() if value is not None}
        sys.stdout.write(json.dumps(row | ({"token": event.token} if event.token else {})) + "\n")
        sys.stdout.flush()
    else:
        Console(highlight=False).print(live_line(event.published), soft_wrap=True)
