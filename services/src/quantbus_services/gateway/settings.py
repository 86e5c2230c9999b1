"""Settings of the gateway, read from ``QUANTBUS_GATEWAY_*``."""

from pathlib import Path

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.settings import ProcessSettings

__all__ = ["GatewaySettings"]


class GatewaySettings(ProcessSettings):
    """Where the gateway listens, and what it lets one client ask of it."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_GATEWAY_")

    host: str = "127.0.0.1"
    port: int = Field(8720, ge=0, le=65_535)
    ready_file: Path | None = None
    instance: str = Field("main", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Which gateway this is, in its heartbeat."""

    rate_per_second: float = Field(20.0, gt=0, le=10_000)
    rate_burst: int = Field(40, ge=1, le=100_000)
    failures_per_minute: float = Field(10.0, gt=0, le=10_000)
    """Failed authentications of one client address; that many may also come at once."""
    body_bytes: int = Field(1_048_576, ge=1_024, le=67_108_864)
    batch_rows: int = Field(1_000, ge=1, le=10_000)
    in_flight: int = Field(64, ge=1, le=10_000)
    request_seconds: float = Field(15.0, gt=0, le=120)
    """All of one request: its body read, its key looked up, its rows published."""
    bus_seconds: float = Field(3.0, gt=0, le=60)
    key_seconds: float = Field(2.0, ge=0, le=60)
    """How long a key is trusted without asking the bus again; a revocation takes no longer."""
