"""What the operator decides about the process, as opposed to the recipe."""

from pydantic_settings import SettingsConfigDict

from quantbus_contracts.runtime.settings import HomeSettings

__all__ = ["ResearchSettings"]


class ResearchSettings(HomeSettings):
    """Read from ``QUANTBUS_*``; nothing of it changes what a recipe says."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_")
