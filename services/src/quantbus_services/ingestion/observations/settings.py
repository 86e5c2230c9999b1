"""Settings of the observing process, read from ``QUANTBUS_OBSERVATION_*``."""

from datetime import timedelta

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.settings import ProcessSettings

__all__ = ["ObservationSettings"]


class ObservationSettings(ProcessSettings):
    """How often each kind is asked for; the venue and the patience with it are those of ingestion."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_OBSERVATION_")

    funding_seconds: float = Field(300.0, ge=1, le=86_400)
    mark_seconds: float = Field(60.0, ge=1, le=86_400)
    open_interest_seconds: float = Field(300.0, ge=1, le=86_400)
    depth_seconds: float = Field(60.0, ge=1, le=86_400)
    instruments_seconds: float = Field(900.0, ge=1, le=86_400)
    """How often the market list is read again."""
    depth_limit: int = Field(500, ge=5, le=5000)
    """How many prices a side of an order book are asked for."""
    funding_history_days: float = Field(3.0, gt=0, le=3650)
    """How far back funding is asked for where none is stored."""

    def every(self, kind: str) -> timedelta:
        """Return how often ``kind`` is asked for."""
        seconds: float = getattr(self, f"{kind.replace('-', '_')}_seconds")
        return timedelta(seconds=seconds)
