"""Settings of the monitor, read from ``QUANTBUS_MONITOR_*``."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

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
    gap_after_seconds: float = Field(900.0, ge=0)
    limited_within_seconds: float = Field(600.0, gt=0)
    unseen_after_seconds: float = Field(60.0, gt=0)
    heartbeat_lost_after_seconds: float = Field(60.0, gt=0)
    settle_seconds: float = Field(60.0, gt=0)
    refused_share: float = Field(0.5, gt=0, le=1)
    refused_least: int = Field(5, ge=1)
    rejects_in_a_row: int = Field(3, ge=1)
    slippage_ratio: float = Field(0.005, gt=0, lt=1)
    balance_floors: dict[str, Annotated[float, Field(ge=0)]] = Field(default_factory=dict)
    """What a bot must have free, by currency."""
    drawdown_ratio: float = Field(0.15, gt=0, le=1)
    daily_loss_ratio: float = Field(0.05, gt=0, le=1)
    loop_stale_after_seconds: float = Field(60.0, gt=0)
    clock_offset_seconds: float = Field(1.0, gt=0)
    replica_lag_seconds: float = Field(10.0, gt=0)
    disk_free_ratio: float = Field(0.1, ge=0, lt=1)
    control_forgotten_after_seconds: float = Field(86_400.0, gt=0)

    def limits(self) -> Limits:
        """Return the patience of the checks."""
        return Limits(
            candle_grace=timedelta(seconds=self.candle_grace_seconds),
            gap_after=timedelta(seconds=self.gap_after_seconds),
            limited_within=timedelta(seconds=self.limited_within_seconds),
            unseen_after=timedelta(seconds=self.unseen_after_seconds),
            heartbeat_lost_after=timedelta(seconds=self.heartbeat_lost_after_seconds),
            settle=timedelta(seconds=self.settle_seconds),
            refused_share=self.refused_share,
            refused_least=self.refused_least,
            rejects_in_a_row=self.rejects_in_a_row,
            slippage_ratio=self.slippage_ratio,
            balance_floors=self.balance_floors,
            drawdown_ratio=self.drawdown_ratio,
            daily_loss_ratio=self.daily_loss_ratio,
            loop_stale_after=timedelta(seconds=self.loop_stale_after_seconds),
            clock_offset=timedelta(seconds=self.clock_offset_seconds),
            replica_lag=timedelta(seconds=self.replica_lag_seconds),
            disk_free_ratio=self.disk_free_ratio,
            control_forgotten_after=timedelta(seconds=self.control_forgotten_after_seconds),
        )
