"""Messengers that Alertmanager does not speak, through apprise: one address in a file is one messenger."""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from quantbus_contracts.errors import ConfigError
from quantbus_services.monitor.alerts.messages import Level, Message

if TYPE_CHECKING:
    from apprise.plugins import NotifyBase

__all__ = ["AppriseMessenger", "Messenger", "messengers_of"]

_MOST_MESSENGERS = 20
_KINDS: dict[Level, str] = {"critical": "failure", "warning": "warning", "resolved": "success"}


class Messenger(Protocol):
    """Somewhere a message can be sent."""

    @property
    def name(self) -> str:
        """What to call it in logs: nothing secret."""
        ...

    async def send(self, message: Message) -> bool:
        """Return whether the messenger took it."""
        ...


class AppriseMessenger:
    """One address that apprise understands."""

    def __init__(self, service: "NotifyBase", number: int) -> None:
        """Send through ``service``, which stands on line ``number`` of the file."""
        self._service = service
        self._name = f"{service.service_name} (line {number})"

    @property
    def name(self) -> str:
        """The messenger's kind and its line in the file; its address is a secret."""
        return self._name

    async def send(self, message: Message) -> bool:
        """Return whether the messenger took it."""
        sent = await self._service.async_notify(
            title=message.title, body=message.body, notify_type=_KINDS[message.level], body_format="text"
        )
        return bool(sent)


def messengers_of(file: Path | None) -> tuple[AppriseMessenger, ...]:
    """Return a messenger for each address in ``file``: one a line, ``#`` begins a remark.

    Raises
    ------
    ConfigError
        If apprise is not installed, the file cannot be read, or a line is no address that apprise knows. Lines
        are told by number, never repeated: they hold tokens.
    """
    if file is None:
        return ()
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"expected addresses of messengers in {file}, found that it cannot be read "
            f"({type(error).__name__}); see docs/alerting.md"
        ) from None
    numbered = [(number, line.strip()) for number, line in enumerate(lines, start=1)]
    wanted = [(number, line) for number, line in numbered if line and not line.startswith("#")]
    if not 0 < len(wanted) <= _MOST_MESSENGERS:
        raise ConfigError(
            f"expected 1 to {_MOST_MESSENGERS} addresses of messengers in {file}, found {len(wanted)}; "
            "see docs/alerting.md"
        )
    return tuple(_messenger(line, number, file) for number, line in wanted)


def _messenger(line: str, number: int, file: Path) -> AppriseMessenger:
    try:
        from apprise import Apprise, AppriseAsset, NotifyBase
    except ModuleNotFoundError:
        raise ConfigError(
            "expected apprise for the messengers, found none; install quantbus-services[alerts]"
        ) from None
    asset = AppriseAsset(storage_mode="memory")  # nothing of ours is left on disk
    service = Apprise.instantiate(line, asset=asset)
    if not isinstance(service, NotifyBase):
        raise ConfigError(
            f"expected an address that apprise knows on line {number} of {file}, found another text; its "
            "form for each messenger: https://appriseit.com/services/"
        )
    return AppriseMessenger(service, number)
