"""Notices that Prometheus itself has gone silent: its Watchdog, which always fires, stays away."""

from datetime import datetime, timedelta

from quantbus_services.monitor.alerts.messages import Message, told_in_utc

__all__ = ["DeadMan"]

_REPEAT = timedelta(hours=1)


class DeadMan:
    """Judges the age of the last Watchdog. Armed by the first one, or from the start where that is asked for."""

    def __init__(self, patience: timedelta, *, armed_at: datetime | None = None) -> None:
        """Allow ``patience`` between two Watchdogs; count from ``armed_at`` if given, else from the first heard."""
        self._patience = patience
        self._armed_at = armed_at
        self._heard_at: datetime | None = None
        self._told_at: datetime | None = None

    @property
    def silent(self) -> bool:
        """Whether the silence has been told and goes on."""
        return self._told_at is not None

    @property
    def heard_at(self) -> datetime | None:
        """When the Watchdog was last heard; None if never."""
        return self._heard_at

    def heard(self, now: datetime) -> Message | None:
        """Note a Watchdog; return what to tell people if a silence is over with it."""
        since, self._heard_at = self._told_at, now
        self._told_at = None
        if since is None:
            return None
        return Message(
            "[RESOLVED] WatchdogSilent",
            f"over: Prometheus and Alertmanager are heard again.\nsince {told_in_utc(since)} until {told_in_utc(now)}",
            "resolved",
        )

    def look(self, now: datetime) -> Message | None:
        """Return what to tell people at ``now``: once when the silence is too long, then every hour."""
        last = self._heard_at or self._armed_at
        if last is None:
            return None
        if now < last:  # the clock was set back: count from here, or a silence goes unnoticed for that long
            self._heard_at = now
            return None
        if now - last <= self._patience:
            return None
        if self._told_at is not None and now - self._told_at < _REPEAT:
            return None
        self._told_at = now
        return Message(
            "[CRITICAL] WatchdogSilent",
            "Prometheus or Alertmanager is silent: no other alert will come.\n"
            f"since {told_in_utc(last)}\n"
            f"what: the Watchdog, which always fires, was {'last' if self._heard_at else 'never'} heard; it "
            f"should come at least every {self._patience.total_seconds():g} s\n"
            "see more: quantbus monitor check\n"
            "what to do: docs/runbooks/watchdog-silent.md",
            "critical",
        )
