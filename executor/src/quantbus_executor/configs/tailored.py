"""A Freqtrade config made from one that ships; pure. Real orders only where they are asked for by name.

Sent to another address than the venue's own, every address of the venue is replaced: one that is left out would
quietly reach the real exchange and mix its candles with the others.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.settings import BLOCK

__all__ = ["KEY_NAMES", "ApiServer", "Tailoring", "tailored_config", "venue_addresses"]

_SHORTEST_SECRET = 32
_WALLET = 1000
KEY_NAMES = ("key", "apiKey", "secret", "password", "private_key", "privateKey")
"""What exchanges know an account by, as Freqtrade's block ``exchange`` names it."""

# ccxt's groups of Binance's REST API: the versions that each has, as V2, V3 … behind the name
_GROUPS = {
    "sapi": 4,
    "fapiPublic": 3,
    "fapiPrivate": 3,
    "dapiPublic": 1,
    "dapiPrivate": 2,
    "eapiPublic": 1,
    "eapiPrivate": 1,
    "papi": 2,
}
_STREAMS = ("spot", "margin", "linear", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi")


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiServer:
    """Freqtrade's REST API on this machine. Secrets are made up for each bot, never shipped."""

    port: int
    password: str
    jwt_secret: str
    username: str = "quantbus"

    def __post_init__(self) -> None:
        """Refuse what Freqtrade would refuse later, or ought to."""
        if not 0 < self.port < 65_536:
            raise ConfigError(f"expected a port from 1 to 65535 for the bot's API, found {self.port!r}")
        if not self.password:
            raise ConfigError("expected a password for the bot's API, found none")
        if len(self.jwt_secret) < _SHORTEST_SECRET:
            raise ConfigError(
                f"expected a JWT secret of at least {_SHORTEST_SECRET} characters, found {len(self.jwt_secret)}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tailoring:
    """What a bot differs in from the config that it is made from; None keeps what that says."""

    database: Path
    live: bool = False
    venue_url: str | None = None
    exchange: str | None = None
    pairs: Sequence[str] = ()
    timeframe: str | None = None
    strategy_id: str | None = None
    consumer_id: str | None = None
    stake: float | None = None
    capital: float | None = None
    max_open_trades: int | None = None
    throttle_seconds: int | None = None
    api: ApiServer | None = None

    def __post_init__(self) -> None:
        """Refuse sums of money that are none."""
        for name in ("stake", "capital"):
            money: float | None = getattr(self, name)
            if money is not None and not (isfinite(money) and money > 0):
                raise ConfigError(f"--{name}: expected a number above 0, found {money!r}")


def tailored_config(base: Mapping[str, Any], wanted: Tailoring) -> dict[str, Any]:
    """Return ``base`` changed as ``wanted`` says; ``base`` itself is left alone.

    Without ``live`` a dry run comes out whatever the base is, so that a live config can be rehearsed; its keys are
    left behind.

    Raises
    ------
    ConfigError
        If ``live`` is asked of the config of a dry run, the venue is given twice, or the timeframe is unknown.
    """
    if wanted.venue_url is not None and wanted.exchange not in (None, "binance"):
        raise ConfigError(f"expected no exchange beside a venue's address, found {wanted.exchange!r}")
    if wanted.live and base.get("dry_run") is not False:
        raise ConfigError(
            f"expected a base config with dry_run false for real orders, found {base.get('dry_run')!r}: start from "
            "config.live.json or config.live-futures.json"
        )
    config: dict[str, Any] = copy.deepcopy(dict(base))
    config["db_url"] = f"sqlite:///{wanted.database.absolute()}"
    exchange = config.setdefault("exchange", {})
    _set(exchange, "name", wanted.exchange)
    if wanted.pairs:
        exchange["pair_whitelist"] = list(wanted.pairs)
        config["max_open_trades"] = len(wanted.pairs)
    if wanted.venue_url is not None:
        exchange["enable_ws"] = False
        exchange["ccxt_config"] = {"urls": venue_addresses(wanted.venue_url)}
    _set(config, "timeframe", Timeframe.parse(wanted.timeframe).name if wanted.timeframe else None)
    _set(config, "stake_amount", wanted.stake)
    _set(config, "max_open_trades", wanted.max_open_trades)
    _set(config, "available_capital", wanted.capital)
    _set(config.setdefault(BLOCK, {}), "strategy_id", wanted.strategy_id)
    _set(config[BLOCK], "consumer_id", wanted.consumer_id)
    _set(config.setdefault("internals", {}), "process_throttle_secs", wanted.throttle_seconds)
    if wanted.api is not None:
        config["api_server"] = _api_block(wanted.api)
    return config if wanted.live else _rehearsed(config)


def _rehearsed(config: dict[str, Any]) -> dict[str, Any]:
    """Return the config as a dry run with as much money as the bot may use."""
    for name in KEY_NAMES:
        config["exchange"].pop(name, None)
    capital = config.pop("available_capital", None)
    wallet = capital or config.get("dry_run_wallet") or _WALLET
    return config | {"dry_run": True, "dry_run_wallet": wallet}


def venue_addresses(url: str) -> dict[str, Any]:
    """Return ccxt's ``urls`` for a venue that speaks Binance's API at ``url``."""
    base = url.rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise ConfigError(f"expected an address such as http://127.0.0.1:8765, found {url!r}")
    stream = "ws" + base.removeprefix("http")
    api: dict[str, Any] = {"public": f"{base}/api/v3", "private": f"{base}/api/v3", "v1": f"{base}/api/v1"}
    for group, versions in _GROUPS.items():
        path = group.removesuffix("Public").removesuffix("Private")
        for version in range(1, versions + 1):
            api[group if version == 1 else f"{group}V{version}"] = f"{base}/{path}/v{version}"
    api |= {"fapiData": f"{base}/futures/data", "dapiData": f"{base}/futures/data"}
    calls = {"spot": "ws-api/v3", "linear": "ws-fapi/v1", "inverse": "ws-dapi/v1"}
    api["ws"] = {name: f"{stream}/stream" for name in _STREAMS} | {"linear": f"{stream}/fapi/ws"}
    api["ws"]["ws-api"] = {name: f"{stream}/{path}" for name, path in calls.items()}
    return {"api": api}


def _api_block(api: ApiServer) -> dict[str, Any]:
    return {
        "enabled": True,
        "listen_ip_address": "127.0.0.1",
        "listen_port": api.port,
        "username": api.username,
        "password": api.password,
        "jwt_secret_key": api.jwt_secret,
        "verbosity": "error",
        "enable_openapi": False,
        "CORS_origins": [],
    }


def _set(block: dict[str, Any], key: str, value: object) -> None:
    if value is not None:
        block[key] = value
