"""Settings of the worker as a process, read from ``QUANTBUS_RESEARCH_*``."""

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.settings import ProcessSettings

__all__ = ["WorkerSettings"]


class WorkerSettings(ProcessSettings):
    """What is about the machine that a worker runs on; all else stands in its recipe."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_RESEARCH_")

    metrics_host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Address of ``/metrics``; another than this machine's own only where a container shields it."""
