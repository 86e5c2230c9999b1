"""Settings of the account service, read from ``QUANTBUS_ACCOUNT_*``."""

from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.secret_files import read_secret
from quantbus_contracts.runtime.settings import ProcessSettings
from quantbus_contracts.schema import AccountMarket

__all__ = ["AccountSettings", "Credentials"]

Credentials = dict[str, str]
"""As ccxt's constructor takes them."""


class AccountSettings(ProcessSettings):
    """Which account is read, with which key, and how often."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_ACCOUNT_")

    name: str = Field("main", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """What the account is called in snapshots; the same as the bot's ``claims.account`` where that is set."""
    venue: str = Field("binance", pattern=r"^[a-z0-9]{1,64}$")
    venue_url: str | None = Field(None, pattern=r"^https?://[^/\s]+/?$")
    markets: tuple[AccountMarket, ...] = ("spot",)
    quote: str = Field("USDT", pattern=r"^[A-Z0-9]{1,16}$")
    """What balances are valued in: the stake currency of the bot."""
    pairs: tuple[str, ...] = ()
    """Whose fills are asked for besides those of what the account holds and has ordered."""

    key: SecretStr | None = None
    secret: SecretStr | None = None
    passphrase: SecretStr | None = None
    key_file: Path | None = None
    secret_file: Path | None = None
    passphrase_file: Path | None = None

    interval_seconds: float = Field(10.0, ge=0.2, le=3_600)
    timeout_seconds: float = Field(10.0, gt=0, le=60)
    """Of one request."""
    attempts: int = Field(3, ge=1, le=10)
    """How often one question is asked within one look."""
    fills_minutes: float = Field(60.0, gt=0, le=1_440)
    """How far back fills are asked for."""

    instance: str = Field("main", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Which account service this is, in its heartbeat."""
    metrics_host: str = "127.0.0.1"
    metrics_port: int = Field(0, ge=0, le=65_535)
    """0: none."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        if not self.markets or len(set(self.markets)) != len(self.markets):
            raise ValueError(f'markets: expected ["spot"], ["swap"] or both, found {list(self.markets)}')
        return self

    def credentials(self) -> Credentials:
        """Return key, secret and passphrase, each from its variable or its file.

        Raises
        ------
        ConfigError
            If key or secret is missing, or given twice.
        """
        found = {
            name: _one(word, given, file)
            for name, word, given, file in (
                ("apiKey", "KEY", self.key, self.key_file),
                ("secret", "SECRET", self.secret, self.secret_file),
                ("password", "PASSPHRASE", self.passphrase, self.passphrase_file),
            )
        }
        for name, word in (("apiKey", "KEY"), ("secret", "SECRET")):
            if found[name] is None:
                raise ConfigError(
                    f"expected the account's key and secret, found no {word.lower()}; make a read-only key at the "
                    f"venue and give QUANTBUS_ACCOUNT_{word} or QUANTBUS_ACCOUNT_{word}_FILE"
                )
        return {name: text.get_secret_value() for name, text in found.items() if text is not None}


def _one(word: str, given: SecretStr | None, file: Path | None) -> SecretStr | None:
    if given is not None and file is not None:
        raise ConfigError(f"expected QUANTBUS_ACCOUNT_{word} or QUANTBUS_ACCOUNT_{word}_FILE, found both")
    return read_secret(file) if file is not None else given
