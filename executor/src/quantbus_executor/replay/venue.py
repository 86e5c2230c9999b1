"""A paper exchange for one replay, as a process of its own: it lists markets and serves the given candles."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path

from quantbus_executor.replay.commands import await_that, running
from quantbus_executor.replay.plan import ReplayPlan

__all__ = ["paper_venue"]

_READY_SECONDS = 120.0
_VENUE = "BINANCE"


@contextmanager
def paper_venue(
    plan: ReplayPlan, folder: Path, environment: Mapping[str, str], *, shift: timedelta, now: datetime
) -> Iterator[str]:
    """Serve the plan's candles ``shift`` later than they were, at the address that is given; ``now`` is the clock's."""
    recordings = folder / "recordings"
    recordings.mkdir(parents=True)
    for pair, frame in plan.candles.items():
        moved = frame.assign(ts=frame["date"] + shift).drop(columns="date")
        name = f"{_VENUE}_{pair.replace('/', '')}_{plan.timeframe}.parquet"
        moved.to_parquet(recordings / name, index=False)
    ready, log = folder / "exchange.json", folder / "exchange.log"
    arguments = [
        *("paper-exchange", "serve", "--port", "0", "--data", str(recordings), "--venue", _VENUE),
        *("--timeframe", plan.timeframe.name, "--symbols", ",".join(plan.pairs), "--no-futures"),
        *("--history", f"{_minutes_behind(plan, shift, now)}m", "--ready-file", str(ready)),
    ]
    with running("quantbus", arguments, environment, log) as process:
        await_that(ready.is_file, process, log, within=_READY_SECONDS, what="a paper exchange")
        yield str(json.loads(ready.read_text(encoding="utf-8"))["url"])


def _minutes_behind(plan: ReplayPlan, shift: timedelta, now: datetime) -> int:
    """Return how much history to ask for, so that the exchange shows the recordings as they are, unmoved.

    It moves what it serves by whole days until that much lies behind now; recordings that reach to now and beyond
    need no move. Others are served for their list of markets only, and may be moved.
    """
    bar = plan.timeframe.seconds // 60
    first = max(frame["date"].iloc[0] for frame in plan.candles.values()).to_pydatetime() + shift
    behind = int((now - first) / timedelta(minutes=bar)) * bar
    reaches_now = first < now < plan.end + shift
    return max(bar, behind) if reaches_now else bar
