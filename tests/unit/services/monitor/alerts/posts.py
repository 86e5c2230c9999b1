"""What Alertmanager posts, as 0.25 writes it, and messengers that are told what to answer."""

from typing import Any

from quantbus_services.monitor.alerts.messages import Message

NEVER_ENDED = "0001-01-01T00:00:00Z"


def alert(
    name: str = "SignalMissing",
    *,
    severity: str = "critical",
    resolved: bool = False,
    annotations: dict[str, str] | None = None,
    **labels: str,
) -> dict[str, Any]:
    return {
        "status": "resolved" if resolved else "firing",
        "labels": {"alertname": name, "severity": severity, **labels},
        "annotations": {"summary": f"{name} it is."} if annotations is None else annotations,
        "startsAt": "2026-01-05T13:00:07.123456789+01:00",
        "endsAt": "2026-01-05T12:30:00Z" if resolved else NEVER_ENDED,
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "7e2b1b0d1a2b3c4d",
    }


def post(*alerts: dict[str, Any], **more: Any) -> dict[str, Any]:
    status = "firing" if any(item["status"] == "firing" for item in alerts) else "resolved"
    return {
        "version": "4",
        "groupKey": '{}:{alertname="SignalMissing"}',
        "truncatedAlerts": 0,
        "status": status,
        "receiver": "critical",
        "groupLabels": {"alertname": "SignalMissing"},
        "commonLabels": {},
        "commonAnnotations": {},
        "externalURL": "http://alertmanager:9093",
        "alerts": list(alerts),
        **more,
    }


class Scripted:
    """A messenger that fails as often as it is told to."""

    def __init__(self, name: str = "scripted", *, failures: int = 0, error: Exception | None = None) -> None:
        self.name = name
        self.sent: list[Message] = []
        self.tries = 0
        self._failures = failures
        self._error = error

    async def send(self, message: Message) -> bool:
        self.tries += 1
        if self.tries <= self._failures:
            if self._error is not None:
                raise self._error
            return False
        self.sent.append(message)
        return True
