"""Asks the bus all that a config can be held against; whatever this user may not read stays unknown."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal, TypeVar

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.layout import missing_parts
from quantbus_contracts.mongo.leases import LeaseStore
from quantbus_contracts.mongo.listings import ListingStore
from quantbus_contracts.mongo.restraints import RestraintReader
from quantbus_contracts.mongo.rights import Rights, rights_for
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.mongo.strategies import StrategyStore
from quantbus_contracts.ports import RestraintSnapshot
from quantbus_contracts.schema import Declaration, Heartbeat, Lease, Listing, PublishedSignal
from quantbus_executor.checking.plan import BotPlan
from quantbus_executor.claims.opening import account_name
from quantbus_executor.settings import ExecutorSettings

__all__ = ["BusFacts", "ask_bus"]

Answer = TypeVar("Answer")
_EXECUTOR: Literal["executor"] = "executor"


@dataclass(frozen=True, slots=True, kw_only=True)
class BusFacts:
    """What the bus says. None is what this user may not read, or what there is none of (`declared`)."""

    now: datetime
    clock_ahead: timedelta = timedelta(0)
    """By how much this machine's clock is ahead of the database's; below zero behind."""
    answered_in: timedelta = timedelta(0)
    rights: Rights
    missing: tuple[str, ...] | None = ()
    strategies: tuple[str, ...] | None = ()
    declared: Declaration | None = None
    restraints: RestraintSnapshot | None = None
    newest: Mapping[str, PublishedSignal] | None = field(default_factory=dict)
    last_beat: Heartbeat | None = None
    lease: Lease | None = None
    """Who holds, or last held, the account that the config names."""
    listings: Mapping[str, Listing] | None = field(default_factory=dict)
    """By pair; those of the venue that the strategy is declared for."""


def ask_bus(connection: Connection, settings: ExecutorSettings, plan: BotPlan, clock: Clock) -> BusFacts:
    """Ask over a connection of the bot's own user.

    Raises
    ------
    ConfigError
        If the bus does not let this user in.
    BusUnavailable
        If it does not answer in time.
    """
    connection.server_now()  # the first question also opens the connection: it is not the one to be timed
    before = clock.now()
    now = connection.server_now()
    after = clock.now()
    strategies = StrategyStore(connection)
    declared = _unless_refused(lambda: strategies.get(settings.strategy_id))
    pairs = sorted({*plan.pairs, *(declared.strategy.pairs if declared else ())})
    return BusFacts(
        now=now,
        clock_ahead=before + (after - before) / 2 - now,
        answered_in=after - before,
        rights=rights_for(connection, _EXECUTOR),
        missing=_unless_refused(lambda: tuple(missing_parts(connection))),
        strategies=_unless_refused(lambda: tuple(item.strategy_id for item in strategies.all())),
        declared=declared,
        restraints=_unless_refused(lambda: RestraintReader(connection).in_force(settings.strategy_id)),
        newest=_unless_refused(
            lambda: SignalReader(connection).newest(settings.strategy_id, settings.timeframe, pairs).signals
        ),
        last_beat=_unless_refused(lambda: _last_beat(connection, settings.consumer_id)),
        lease=_unless_refused(lambda: _lease(connection, settings, plan)),
        listings=_unless_refused(lambda: _listings(connection, declared)),
    )


def _unless_refused(ask: Callable[[], Answer]) -> Answer | None:
    try:
        return ask()
    except ConfigError:  # not allowed; what the bot needs and may not is told by its rights
        return None


def _last_beat(connection: Connection, consumer_id: str) -> Heartbeat | None:
    beats = HeartbeatStore(connection).all()
    return next((beat for beat in beats if beat.key == (_EXECUTOR, consumer_id)), None)


def _lease(connection: Connection, settings: ExecutorSettings, plan: BotPlan) -> Lease | None:
    exchange = plan.block("exchange")
    key = exchange.get("apiKey") or exchange.get("key")
    account = account_name(settings, str(exchange.get("name")), str(key) if key else None)
    return next((lease for lease in LeaseStore(connection).all() if lease.account == account), None)


def _listings(connection: Connection, declared: Declaration | None) -> Mapping[str, Listing]:
    if declared is None:
        return {}
    listings = ListingStore(connection).all(declared.strategy.venue)
    return {listing.instrument.pair: listing for listing in listings}
