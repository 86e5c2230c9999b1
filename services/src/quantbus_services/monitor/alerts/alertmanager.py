"""Alertmanager's configuration: what always holds, and the receivers that the settings name.

It is rendered because Alertmanager before 0.26 (Debian's) reads Telegram's token from its configuration only.
"""

import json
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Self

from pydantic import Field, model_validator
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.secret_files import read_secret
from quantbus_contracts.runtime.settings import ProcessSettings

__all__ = ["AlertmanagerSettings", "configuration", "write_configuration"]

_SUBJECT = "[{{ .Status | toUpper }}] {{ .GroupLabels.alertname }} ({{ len .Alerts }})"
_TEXT = """\
{{ range .Alerts }}[{{ .Status | toUpper }}] {{ .Labels.alertname }}: {{ .Annotations.summary }}
{{ range (.Labels.Remove (stringSlice "alertname" "severity" "job" "instance" "depends_on" "check"))\
.SortedPairs }}{{ if .Value }}{{ .Name }} {{ .Value }}, {{ end }}{{ end }}\
since {{ .StartsAt.UTC.Format "2006-01-02 15:04:05" }} UTC
{{ if eq .Status "firing" }}what: {{ .Annotations.description }}
see more: {{ .Annotations.command }}
what to do: {{ .Annotations.runbook_url }}
{{ else }}over {{ .EndsAt.UTC.Format "2006-01-02 15:04:05" }} UTC
{{ end }}
{{ end }}"""


class AlertmanagerSettings(ProcessSettings):
    """Who is told, read from ``QUANTBUS_ALERTMANAGER_*``; what is not named is not used."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_ALERTMANAGER_", env_ignore_empty=True)

    monitor_url: str = Field("http://127.0.0.1:8710", pattern=r"^https?://[^/\s]+$")
    """Scheme, host and port of the monitor, as Alertmanager reaches it."""
    token_file: str | None = None
    """Where Alertmanager finds the token of the monitor's ``/alerts``."""
    deadman_url: str | None = Field(None, pattern=r"^https?://\S+$")
    """A dead-man service elsewhere, called every 15 seconds while all is well."""
    email_to: str | None = None
    email_from: str | None = None
    smtp_host: str | None = Field(None, pattern=r"^[^:\s]+:\d{1,5}$")
    """Host and port: mail.example.org:587."""
    smtp_tls: bool = True
    smtp_user: str | None = None
    smtp_password_file: str | None = None
    """Where Alertmanager finds the password."""
    telegram_chat: int | None = None
    telegram_token_file: Path | None = None
    """Where this command finds the token; Alertmanager gets it inside its configuration."""
    telegram_url: str = Field("https://api.telegram.org", pattern=r"^https?://\S+$")

    @model_validator(mode="after")
    def _whole(self) -> Self:
        mail = {"EMAIL_TO": self.email_to, "EMAIL_FROM": self.email_from, "SMTP_HOST": self.smtp_host}
        login = {"SMTP_USER": self.smtp_user, "SMTP_PASSWORD_FILE": self.smtp_password_file}
        telegram = {"TELEGRAM_CHAT": self.telegram_chat, "TELEGRAM_TOKEN_FILE": self.telegram_token_file}
        for together in (mail, login, telegram):
            missing = [name for name, value in together.items() if value is None]
            if missing and len(missing) < len(together):
                raise ValueError(
                    f"expected all of {', '.join(together)} or none, found no {' and no '.join(missing)}"
                )
        return self


@dataclass(frozen=True, slots=True)
class _Email:
    smarthost: str
    sender: str
    to: str
    tls: bool
    user: str | None
    password_file: str | None


@dataclass(frozen=True, slots=True)
class _Telegram:
    token: str
    chat: int
    api_url: str


def configuration(settings: AlertmanagerSettings) -> str:
    """Return the configuration as YAML; it may hold a secret.

    Raises
    ------
    ConfigError
        If Telegram's token cannot be read.
    """
    from jinja2 import Environment, StrictUndefined

    environment = Environment(  # YAML, and every value is written as JSON  # noqa: S701
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False}
    source = files("quantbus_services.monitor.alerts").joinpath("alertmanager.yml.j2")
    return environment.from_string(source.read_text(encoding="utf-8")).render(
        monitor_url=settings.monitor_url,
        deadman_url=settings.deadman_url,
        authorization=_authorization(settings.token_file),
        email=_email(settings),
        telegram=_telegram(settings),
        subject=_SUBJECT,
        text=_TEXT,
    )


def write_configuration(settings: AlertmanagerSettings, path: Path) -> None:
    """Write the configuration to ``path``, whole or not at all, for its owner's eyes only."""
    text = configuration(settings)
    with NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, delete=False) as file:  # mode 0600
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).replace(path)


def _authorization(token_file: str | None) -> str:
    if token_file is None:
        return ""
    return (
        "        http_config:\n          authorization:\n"
        f"            credentials_file: {json.dumps(token_file)}"
    )


def _email(settings: AlertmanagerSettings) -> _Email | None:
    if settings.email_to is None or settings.email_from is None or settings.smtp_host is None:
        return None
    return _Email(
        settings.smtp_host,
        settings.email_from,
        settings.email_to,
        settings.smtp_tls,
        settings.smtp_user,
        settings.smtp_password_file,
    )


def _telegram(settings: AlertmanagerSettings) -> _Telegram | None:
    if settings.telegram_chat is None or settings.telegram_token_file is None:
        return None
    token = read_secret(settings.telegram_token_file).get_secret_value()
    return _Telegram(token, settings.telegram_chat, settings.telegram_url)
