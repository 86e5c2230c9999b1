"""Health: measure series of bars, say whether they may be traded on, and show why."""

from quantbus_services.ingestion.health.judge import Issue, Limits, SeriesHealth, judged
from quantbus_services.ingestion.health.measure import Measures, measure

__all__ = ["Issue", "Limits", "Measures", "SeriesHealth", "judged", "measure"]
