"""What every command of ``quantbus ingest`` does first: read the settings, set up the log."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from quantbus_services.ingestion.settings import IngestionSettings

__all__ = ["configure_logging", "ingestion_settings"]


def ingestion_settings(**overrides: object) -> "IngestionSettings":
    """Return the settings; what the command line gives wins."""
    from quantbus_contracts.runtime.settings import load_options
    from quantbus_services.ingestion.settings import IngestionSettings

    return load_options(IngestionSettings, {"fallbacks": "--fallback"}, **overrides)


def configure_logging() -> None:
    """Log as the process settings say."""
    from quantbus_contracts.runtime.logging import configure
    from quantbus_contracts.runtime.settings import HomeSettings, load_settings

    process = load_settings(HomeSettings)
    configure("ingestion", level=process.log_level, json=process.log_json)
