"""Settings of the monitor, read from ``QUANTBUS_MONITOR_*``."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.secret_files import read_secret
from quantbus_contracts.runtime.settings import ProcessSettings
from quantbus_services.monitor.checks import Limits
from quantbus_services.monitor.reconciliation.holdings import Tolerance
from quantbus_services.monitor.reconciliation.reconcile import Patience

__all__ = ["MonitorSettings"]

_SHORTEST_TOKEN = 16


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
    freqtrade_password_file: Path | None = None
    """File with it; outranks the variable."""
    freqtrade_consumer: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """``consumer_id`` of that bot; needed where several bots write into one ledger."""

    freqtrade_account: str | None = Field(None, pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """What the account service calls the account of that bot; needed where the bot's lease does not say so."""

    block_entries: Literal["pair", "consumer", "never"] = "pair"
    """What makes no new entries while a position is unexplained."""
    account_stale_seconds: float = Field(60.0, gt=0)
    amount_tolerance: float = Field(0.005, ge=0, lt=1)
    """Share of a position by which account and bot may differ: fees taken from what was bought."""
    dust_worth: float = Field(10.0, ge=0)
    """What no order can sell, in the stake currency."""
    ignored_currencies: tuple[str, ...] = ()
    """Coins in the account that are its owner's own affair."""

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

    alert_urls_file: Path | None = None
    """Addresses of messengers as apprise writes them, one a line; without it alerts are only logged."""
    alert_token_file: Path | None = None
    """What Alertmanager sends as bearer token; without it only this machine may post alerts."""
    deadman_after_seconds: float = Field(90.0, ge=0, le=86_400)
    """How long the Watchdog may stay away before the monitor itself raises the alarm; 0: never."""

    @field_validator("alert_urls_file", mode="before")
    @classmethod
    def _none_where_empty(cls, value: object) -> object:
        """Take an empty name for none, as Compose passes what is not set."""
        return None if value == "" else value

    def alert_token(self) -> SecretStr | None:
        """Return the token that posts to ``/alerts`` must bring.

        Raises
        ------
        ConfigError
            If the file cannot be read or holds less than 16 characters.
        """
        if self.alert_token_file is None:
            return None
        token = read_secret(self.alert_token_file)
        if len(token.get_secret_value()) < _SHORTEST_TOKEN:
            raise ConfigError(
                f"expected at least {_SHORTEST_TOKEN} characters in {self.alert_token_file}, found "
                f"{len(token.get_secret_value())}; `openssl rand -hex 32` makes a good one"
            )
        return token

    def patience(self) -> Patience:
        """Return what is no difference between signals, bot and account."""
        return Patience(
            settle=timedelta(seconds=self.settle_seconds),
            stale=timedelta(seconds=self.account_stale_seconds),
            tolerance=Tolerance(
                share=self.amount_tolerance,
                worth=self.dust_worth,
                ignored_currencies=frozenset(self.ignored_currencies),
            ),
        )

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
