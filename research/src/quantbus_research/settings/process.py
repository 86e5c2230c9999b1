"""Settings of the worker as a process, read from ``QUANTBUS_RESEARCH_*``."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.settings import ProcessSettings

__all__ = ["WorkerSettings"]


class WorkerSettings(ProcessSettings):
    """What is about the machine that a worker or a run is on; all else stands in its recipe."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_RESEARCH_")

    metrics_host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Address of ``/metrics``; another than this machine's own only where a container shields it."""
    cache_gb: float = Field(20.0, gt=0, le=100_000)
    """What nodes of runs have made is kept up to so many gigabytes; what was used longest ago goes first."""
