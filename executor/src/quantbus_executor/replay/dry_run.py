"""The replay by the real bot: ``freqtrade trade`` in dry run against the paper exchange, at the speed of time.

Candles and signals are moved by whole bars so that the past begins a little after now. They go to a paper exchange
and to replay databases of their own, never into those that hold real ones.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Strategy
from quantbus_executor.configs.tailored import Tailoring, tailored_config
from quantbus_executor.replay.commands import CommandFailed, await_that, folders_of, run_command, running
from quantbus_executor.replay.outcome import Outcome, ReplayedTrade
from quantbus_executor.replay.plan import ReplayPlan
from quantbus_executor.replay.shifting import Shift
from quantbus_executor.replay.venue import paper_venue
from quantbus_executor.settings import BLOCK

__all__ = ["DryRunPlace", "dry_run"]

_SUFFIX = "_replay"
_LEAD = timedelta(seconds=150)
"""From now to the first bar in which may be traded: the exchange and the bot have to start before it."""
_ROOM_FOR_NAME = 48
"""Letters of a strategy's name that leave room for the time of the replay."""
_BARS_BEHIND = 5
_ENOUGH_BARS = 20
_OURS = {"mongo_uri", "strategy_id", "consumer_id", "timeframe", "query_timeout_ms", "rules", "restraints"}


@dataclass(frozen=True, slots=True)
class DryRunPlace:
    """Where the dry run is: a folder, Freqtrade's user folder, the bus, and the environment of the processes."""

    folder: Path
    userdir: Path
    mongo: MongoSettings
    environment: Mapping[str, str]

    @property
    def replay_mongo(self) -> MongoSettings:
        """The same server, other databases."""
        names = {
            f"{name}_db": f"{getattr(self.mongo, f'{name}_db')}{_SUFFIX}"
            for name in ("market", "signals", "trading")
        }
        return self.mongo.model_copy(update=names)

    @property
    def replay_environment(self) -> dict[str, str]:
        """The environment in which every process finds the replay databases."""
        made = self.replay_mongo
        kept = {name: value for name, value in self.environment.items() if not name.startswith("EXT_SIG_")}
        return kept | {
            "QUANTBUS_MARKET_DB": made.market_db,
            "QUANTBUS_SIGNALS_DB": made.signals_db,
            "QUANTBUS_TRADING_DB": made.trading_db,
        }


def dry_run(
    plan: ReplayPlan,
    place: DryRunPlace,
    strategy: Strategy,
    clock: Clock,
    *,
    fee: float,
    tell: Callable[[str], None] = lambda text: None,
) -> Outcome:
    """Live through the plan with the real bot; takes as long as the plan lasts, and some minutes.

    Raises
    ------
    ConfigError
        If there are too few bars before the first in which may be traded.
    CommandFailed
        If a process ends early, or the bot is not up in time.
    """
    shift = _shift_for(plan, strategy, clock.now())
    place.folder.mkdir(parents=True, exist_ok=True)
    environment = place.replay_environment
    run_command("quantbus", ["bus", "init"], environment, place.folder / "bus.log")
    with (
        closing(connect(place.replay_mongo, app="replay", timeout_seconds=20.0)) as connection,
        paper_venue(plan, place.folder, environment, shift=shift.by, now=clock.now()) as venue,
    ):
        database = place.folder / "trades.sqlite"
        config = _write_config(plan, place, venue, database, fee, shift.strategy_id)
        log = place.folder / "freqtrade.log"
        arguments = ["trade", *folders_of(place.userdir, place.folder), "--config", str(config)]
        begin = plan.start + shift.by
        with running("freqtrade", arguments, environment, log) as bot:
            tell("the bot starts")
            left = (begin - clock.now()).total_seconds()
            consumer = plan.settings.consumer_id
            started = clock.now()
            await_that(
                lambda: _is_up(connection, consumer, started), bot, log, within=left, what="a running bot"
            )
            tell(f"the bot runs; its past begins at {begin:%H:%M:%S}")
            _publish(shift, SignalBus(connection, publisher="replay"), strategy, clock)
            _wait_until(plan.end + shift.by, clock)
            if bot.poll() is not None:
                raise CommandFailed(f"the bot ended before its past did; read {log}")
        return _outcome(plan, shift, connection, database, consumer)


def _shift_for(plan: ReplayPlan, strategy: Strategy, now: datetime) -> Shift:
    """Return how to move the past, in whole bars, so that it begins soon.

    It is another strategy each time: what an earlier replay left in the databases may still be in time.
    """
    lead_bars = -(-_LEAD // plan.timeframe.delta) + 1
    needed = max(lead_bars + _BARS_BEHIND, _ENOUGH_BARS)
    for pair, frame in plan.candles.items():
        found = int((frame["date"] < plan.start).sum())
        if found < needed:
            raise ConfigError(
                f"{pair}: expected {needed} bars before --from for the bot to start on, found {found}"
            )
    by = plan.timeframe.floor(now + _LEAD) + plan.timeframe.delta - plan.start
    name = f"{strategy.strategy_id[:_ROOM_FOR_NAME]}-{now:%Y%m%dT%H%M%S}"
    return Shift(by, plan.every_signal, name)


def _write_config(
    plan: ReplayPlan, place: DryRunPlace, venue: str, database: Path, fee: float, strategy_id: str
) -> Path:
    config = tailored_config(
        plan.config,
        Tailoring(
            database=database,
            venue_url=venue,
            pairs=plan.pairs,
            max_open_trades=plan.config.get("max_open_trades"),
        ),
    )
    block = {name: value for name, value in config[BLOCK].items() if name in _OURS}
    block["strategy_id"] = strategy_id
    block["rules"] = {**block.get("rules", {}), "replay_database": True}
    config |= {BLOCK: block, "fee": fee, "api_server": {**config.get("api_server", {}), "enabled": False}}
    path = place.folder / "config.json"
    path.write_text(json.dumps(config, indent=4), encoding="utf-8")
    path.chmod(0o600)
    return path


def _is_up(connection: Connection, consumer: str, since: datetime) -> bool:
    beats = HeartbeatStore(connection).all()
    return any(
        beat.process == "executor" and beat.instance == consumer and beat.at >= since for beat in beats
    )


def _publish(shift: Shift, bus: SignalBus, strategy: Strategy, clock: Clock) -> None:
    bus.declare(strategy.model_copy(update={"strategy_id": shift.strategy_id}))
    for publication in shift.publications():
        _wait_until(publication.at, clock)
        report = bus.publish([publication.signal])
        if not report.ok:
            raise CommandFailed(f"the replay database refused a signal of the past: {report.as_dict()}")


def _wait_until(moment: datetime, clock: Clock) -> None:
    while (left := (moment - clock.now()).total_seconds()) > 0:
        time.sleep(min(left, 1.0))


def _outcome(
    plan: ReplayPlan, shift: Shift, connection: Connection, database: Path, consumer: str
) -> Outcome:
    rows = ExecutionReader(connection).since(plan.start + shift.by - _LEAD, consumer_id=consumer)
    back = [former for row in rows if (former := shift.row_back(row)) is not None]
    trades = sorted(_trades(plan, shift, database), key=lambda trade: (trade.opened_at, trade.pair))
    return Outcome("dry_run", trades, {row.signal_id: row for row in back})


def _trades(plan: ReplayPlan, shift: Shift, database: Path) -> list[ReplayedTrade]:
    with closing(sqlite3.connect(f"file:{database}?mode=ro", uri=True)) as opened:
        opened.row_factory = sqlite3.Row
        rows = opened.execute("SELECT * FROM trades ORDER BY id").fetchall()
    found = [shift.trade_back(dict(row), plan.end) for row in rows]
    return [trade for trade in found if trade is not None]
