"""Settings of the monitor, read from ``QUANTBUS_MONITOR_*``."""

from datetime import timedelta
from pathlib import Path

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.settings import ProcessSettings
from quantbus_services.monitor.checks import Limits

__all__ = ["MonitorSettings"]


class MonitorSettings(ProcessSettings):
    """Where the monitor listens, which bot it asks, and how patient its checks are."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_MONITOR_")

    host: str = "127.0.0.1"
    port: int = Field(8710, ge=0, le=65_535)
    ready_file: Path | None = None
    interval_seconds: float = Field(3.0, ge=0.1, le=60)
    """Between two cycles."""
    instance: str = Field("main", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Which monitor this is, in its heartbeat."""

    freqtrade_url: str | None = Field(None, pattern=r"^https?://[^/\s]+/?$")
    """Scheme, host and port of the bot's REST API; without it positions are not compared."""
    freqtrade_user: str = "freqtrader"
    freqtrade_password: SecretStr = SecretStr("")
    freqtrade_consumer: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """``consumer_id`` of that bot; needed where several bots write into one ledger."""

    candle_grace_seconds: float = Field(60.0, gt=0)
    unseen_after_seconds: float = Field(60.0, gt=0)
    heartbeat_lost_after_seconds: float = Field(60.0, gt=0)
    settle_seconds: float = Field(60.0, gt=0)

    def limits(self) -> Limits:
        """Return the patience of the checks."""
        return Limits(
            candle_grace=timedelta(seconds=self.candle_grace_seconds),
            unseen_after=timedelta(seconds=self.unseen_after_seconds),
            heartbeat_lost_after=timedelta(seconds=self.heartbeat_lost_after_seconds),
            settle=timedelta(seconds=self.settle_seconds),
        )
