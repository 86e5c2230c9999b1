"""Alerts as text for a telephone: what, which strategy and pair, when, and the command that shows more; pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quantbus_services.monitor.alerts.webhook import Alert, Notification

__all__ = ["Level", "Message", "message_of", "told_in_utc"]

Level = Literal["critical", "warning", "resolved"]
_MOST_TOLD = 10
"""Alerts written out in one message; the others are counted. Messengers cut off what is longer."""
_SUBJECTS = (
    ("strategy_id", "strategy"),
    ("pair", "pair"),
    ("symbol", "symbol"),
    ("timeframe", "timeframe"),
    ("consumer_id", "bot"),
    ("process", "process"),
    ("kind", "kind"),
    ("subject", "subject"),
)


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to one person over one messenger; plain text."""

    title: str
    body: str
    level: Level


def message_of(notification: Notification) -> Message:
    """Return what a person reads about ``notification``, firing alerts first."""
    firing = [alert for alert in notification.alerts if alert.status == "firing"]
    over = [alert for alert in notification.alerts if alert.status == "resolved"]
    ordered = sorted(firing, key=_by_severity) + over
    level = _level(firing)
    parts = [_told(alert) for alert in ordered[:_MOST_TOLD]]
    left_out = len(ordered) - _MOST_TOLD + notification.truncated
    if left_out > 0:
        parts.append(f"and {left_out} more: quantbus monitor check")
    return Message(_title(level, ordered, notification.truncated), "\n\n".join(parts), level)


def told_in_utc(moment: datetime) -> str:
    """Return ``moment`` (aware, UTC) as people read it."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def _level(firing: list[Alert]) -> Level:
    if not firing:
        return "resolved"
    return "critical" if any(alert.labels.get("severity") == "critical" for alert in firing) else "warning"


def _by_severity(alert: Alert) -> tuple[bool, datetime]:
    return alert.labels.get("severity") != "critical", alert.starts_at


def _title(level: Level, alerts: list[Alert], truncated: int) -> str:
    first = alerts[0]
    about = first.labels.get("strategy_id") or first.labels.get("pair") or first.labels.get("symbol")
    others = len(alerts) - 1 + truncated
    more = f" and {others} more" if others else ""
    return f"[{level.upper()}] {first.name}{f': {about}' if about else ''}{more}"


def _told(alert: Alert) -> str:
    notes = alert.annotations
    summary = notes.get("summary", alert.name)
    lines = [f"over: {summary}" if alert.status == "resolved" else summary]
    about = _about(alert.labels)
    if about:
        lines.append(about)
    lines.append(_when(alert))
    if alert.status == "firing":
        lines += [f"{words}: {notes[key]}" for key, words in _NEXT if notes.get(key)]
    return "\n".join(lines)


_NEXT = (("description", "what"), ("command", "see more"), ("runbook_url", "what to do"))


def _about(labels: Mapping[str, str]) -> str:
    told: dict[str, str] = {}
    for label, word in _SUBJECTS:
        value = labels.get(label)
        if value and value not in told.values():
            told[word] = value
    return ", ".join(f"{word} {value}" for word, value in told.items())


def _when(alert: Alert) -> str:
    since = f"since {told_in_utc(alert.starts_at)}"
    return since if alert.ended_at is None else f"{since} until {told_in_utc(alert.ended_at)}"
