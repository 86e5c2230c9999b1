"""What a check is, and what it is given."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Protocol

from quantbus_services.monitor.findings import Finding
from quantbus_services.monitor.freqtrade_api import Bot
from quantbus_services.monitor.view import BusView

__all__ = ["Check", "Limits", "Sources"]


@dataclass(frozen=True, slots=True)
class Limits:
    """The patience of the checks; built from the settings."""

    candle_grace: timedelta = timedelta(seconds=60)
    """From a bar's close to its place on the bus."""
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
    ledger: timedelta = timedelta(days=2)
    """How far back the ledger is compared with the bot's trades."""


@dataclass(frozen=True, slots=True)
class Sources:
    """Where checks look, and how patiently."""

    view: BusView
    limits: Limits = Limits()
    bot: Bot | None = None
    """None where no address is configured."""
    consumer_id: str | None = None
    """The bot's name in the ledger; not needed while it is the only one there."""


class Check(Protocol):
    """Looks at one thing, again and again; built from `Sources`."""

    name: ClassVar[str]
    """Lower case; also the value of the metrics' label."""
    every: ClassVar[timedelta]
    """How often to look."""
    threshold: ClassVar[str]
    """When it finds something, for people."""
    needs_bot: ClassVar[bool]
    """Whether there is nothing to look at while no bot is configured."""

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
