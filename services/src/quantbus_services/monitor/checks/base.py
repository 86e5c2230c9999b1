"""What a check is, and what it is given."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar, Literal, Protocol, runtime_checkable

from quantbus_services.monitor.findings import Finding
from quantbus_services.monitor.freqtrade_api import Bot
from quantbus_services.monitor.freqtrade_figures import FigureSource
from quantbus_services.monitor.reconciliation.reconcile import Patience
from quantbus_services.monitor.view import BusView

__all__ = ["BOT", "BUS", "BUS_AND_BOT", "NOTHING", "Check", "Limits", "Needs", "Noting", "Sources"]

Needs = frozenset[Literal["bus", "bot"]]
"""Without what a check cannot know its answer."""

NOTHING: Needs = frozenset()
BUS: Needs = frozenset(("bus",))
BOT: Needs = frozenset(("bot",))
BUS_AND_BOT: Needs = BUS | BOT


@dataclass(frozen=True, slots=True)
class Limits:
    """The patience of the checks; built from the settings."""

    candle_grace: timedelta = timedelta(seconds=60)
    """From a bar's close to its place on the bus."""
    gap_after: timedelta = timedelta(minutes=15)
    """Since a gap was first seen: ingestion asks again by itself in the meantime."""
    limited_within: timedelta = timedelta(minutes=10)
    """For how long a rate limit or a ban is told after its end."""
    unseen_after: timedelta = timedelta(seconds=60)
    """From a signal's place on the bus to the first consumer that reports it."""
    heartbeat_lost_after: timedelta = timedelta(seconds=60)
    """Since the last sign of life of a process."""
    forget_process_after: timedelta = timedelta(days=7)
    """A process that has been silent this long was taken out of service."""
    settle: timedelta = timedelta(seconds=60)
    """What happened within this time may still be on its way to the venue or the ledger."""
    recent: timedelta = timedelta(minutes=15)
    """How far back published signals are judged."""
    orders: timedelta = timedelta(hours=1)
    """How far back refusals, rejections and fills are judged."""
    ledger: timedelta = timedelta(days=2)
    """How far back the ledger is compared with the bot's trades."""
    refused_share: float = 0.5
    """Of the signals that a bot judged."""
    refused_least: int = 5
    """Fewer refusals than these say nothing."""
    rejects_in_a_row: int = 3
    slippage_ratio: float = 0.005
    """Mean slippage of a bot's fills; positive is worse for us."""
    balance_floors: Mapping[str, float] = field(default_factory=dict)
    """By currency: what a bot must have free of it."""
    drawdown_ratio: float = 0.15
    daily_loss_ratio: float = 0.05
    loop_stale_after: timedelta = timedelta(seconds=60)
    """Since the last turn of the bot's own loop."""
    clock_offset: timedelta = timedelta(seconds=1)
    """Between this machine and the bus, and between ingestion and an exchange."""
    replica_lag: timedelta = timedelta(seconds=10)
    disk_free_ratio: float = 0.1
    """Of the disk that the bus writes to."""
    control_forgotten_after: timedelta = timedelta(days=1)
    """How long a control without an end may stand before somebody is asked about it."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where checks look, and how patiently."""

    view: BusView
    limits: Limits = Limits()
    bot: Bot | None = None
    """None where no address is configured."""
    figures: FigureSource | None = None
    """What the same bot says of itself."""
    consumer_id: str | None = None
    """The bot's name in the ledger; not needed while it is the only one there."""
    account_name: str | None = None
    """The account that it trades, as snapshots call it; not needed where the bot's lease says so."""
    patience: Patience = field(default_factory=Patience)
    """Of comparing signals, bot and account."""
    block_scope: Literal["pair", "consumer"] = "pair"
    """What makes no new entries while one of its positions is unexplained."""

    @property
    def bot_name(self) -> str:
        """What the bot is called in findings."""
        return self.consumer_id or "freqtrade"


class Check(Protocol):
    """Looks at one thing, again and again; built from `Sources`."""

    name: ClassVar[str]
    """Lower case; also the value of the metrics' label."""
    every: ClassVar[timedelta]
    """How often to look."""
    threshold: ClassVar[str]
    """When it finds something, for people."""
    needs: ClassVar[Needs]
    """What it asks. One that needs a bot is left out where none is configured."""

    def __init__(self, sources: Sources) -> None:
        """Look at ``sources``."""
        ...

    async def check(self, now: datetime) -> list[Finding]:
        """Return what is wrong at ``now``; empty if nothing is.

        Raises
        ------
        QuantbusError
            If it cannot be known.
        """
        ...


@runtime_checkable
class Noting(Protocol):
    """A check that says something of itself besides what it finds."""

    @property
    def note(self) -> str:
        """How the last look was made."""
        ...

    @property
    def owner(self) -> str:
        """Whose findings it judges, with which their subjects begin; empty: all of its own."""
        ...
