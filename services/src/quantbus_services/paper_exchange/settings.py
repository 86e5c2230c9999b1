"""What the paper exchange can be told, by environment (``QUANTBUS_PAPER_*``) or command line."""

import os
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field
from pydantic_settings import NoDecode, SettingsConfigDict

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import ProcessSettings

__all__ = ["PaperSettings", "parse_duration"]

_DURATION = re.compile(r"(?P<count>[1-9][0-9]{0,5})(?P<unit>[mhd])")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def parse_duration(text: str) -> timedelta:
    """Read ``90m``, ``36h`` or ``2d``.

    Raises
    ------
    ConfigError
        If the text has another form.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ConfigError(f"expected a duration such as 90m, 36h or 2d, found {text!r}")
    return int(match["count"]) * _UNITS[match["unit"]]


def _duration(value: object) -> object:
    try:
        return parse_duration(value) if isinstance(value, str) else value
    except ConfigError as error:
        raise ValueError(str(error)) from None


def _moment(value: object) -> object:
    """Read a moment; one without an offset is UTC."""
    if not isinstance(value, str):
        return value
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        raise ValueError(f"expected a moment such as 2026-01-05T12:00:00Z, found {value!r}") from None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _split_at(separator: str) -> BeforeValidator:
    return BeforeValidator(lambda value: value.split(separator) if isinstance(value, str) else value)


class PaperSettings(ProcessSettings):
    """Settings of one paper exchange; with neither ``data`` nor ``from_bus`` its bars are made up.

    In the environment, ``data`` is a list of paths as PATH is one, ``quotes`` has commas.
    """

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_PAPER_")

    host: str = "127.0.0.1"
    port: int = Field(8711, ge=0, le=65_535)
    data: Annotated[tuple[Path, ...], NoDecode, _split_at(os.pathsep)] = ()
    from_bus: bool = False
    symbols: str | None = None
    venue: str = Field("BINANCE", pattern=r"^[A-Z0-9]{1,32}$")
    timeframe: str = "1m"
    seed: int = Field(1, ge=0)
    history: Annotated[timedelta | None, BeforeValidator(_duration)] = None
    ready_file: Path | None = None
    start: Annotated[datetime | None, BeforeValidator(_moment)] = None
    """What the exchange's clock shows at the anchor; unset: the wall clock's time."""
    speed: float = Field(1.0, gt=0, le=3_600)
    """How fast its clock runs: at 60 a bar of a minute closes every second."""
    anchor: Annotated[datetime | None, BeforeValidator(_moment)] = None
    """The wall clock's time at which the exchange's began; the same anchor gives the same place after a restart."""
    anchor_file: Path | None = None
    """Where the first start writes its anchor, and later ones read it."""
    gaps: float = Field(0.0, ge=0, le=0.5)
    """Share of made-up minutes that are missing."""
    quiet: float = Field(0.0, ge=0, le=0.9)
    """Share of made-up minutes without a trade."""
    futures: bool = True
    """Whether there are perpetual swaps of the spot pairs."""
    events: Path | None = None
    """JSON list of market events."""
    accounts: bool = False
    """Whether orders are taken; naming a file of accounts or of their state says so as well."""
    account_file: Path | None = None
    """JSON list of accounts to open, with their keys."""
    state: Path | None = None
    """Where accounts and orders are kept over a restart; unset: in memory."""
    faults: Annotated[tuple[str, ...], NoDecode, _split_at(";")] = ()
    """Faults that are on from the start, each as ``rate_limited share=0.05``; in the environment with semicolons."""
    quotes: Annotated[tuple[str, ...], NoDecode, _split_at(",")] = (
        "USDT", "USDC", "FDUSD", "TUSD", "BUSD", "USD", "EUR", "GBP", "TRY", "BRL", "BTC", "ETH", "BNB",
    )  # fmt: skip
    """Currencies that a name such as BTCUSDT may end in."""
