"""What each process registers, with one sample of everything."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics import MetricWrapperBase

from quantbus_contracts.runtime.metrics import new_registry
from quantbus_research.metrics import WorkerMetrics
from quantbus_services.account.metrics import AccountMetrics
from quantbus_services.gateway.metrics import GatewayMetrics
from quantbus_services.ingestion.gaps.metrics import GapMetrics
from quantbus_services.ingestion.metrics import IngestionMetrics
from quantbus_services.ingestion.observations.metrics import ObservationMetrics
from quantbus_services.monitor.alerts.metrics import AlertMetrics
from quantbus_services.monitor.metrics import (
    BotMetrics,
    ChainMetrics,
    LedgerMetrics,
    LoopMetrics,
    PlatformMetrics,
)

__all__ = ["PROCESSES", "Exported", "exported_by"]

PROCESSES: Mapping[str, tuple[Callable[[CollectorRegistry], object], ...]] = {
    "account": (AccountMetrics,),
    "gateway": (GatewayMetrics,),
    "ingestion": (IngestionMetrics, GapMetrics),
    "monitor": (LoopMetrics, ChainMetrics, LedgerMetrics, PlatformMetrics, BotMetrics, AlertMetrics),
    "observation": (ObservationMetrics, IngestionMetrics),
    "research": (WorkerMetrics,),
}
"""By process, what its composition root puts into its one registry."""


@dataclass(frozen=True, slots=True)
class Exported:
    """One metric family as Prometheus knows it."""

    name: str
    kind: str
    labels: tuple[str, ...]


def exported_by(process: str) -> tuple[bytes, frozenset[Exported]]:
    """Return what a process serves once everything has a value, and the families of it that are ours."""
    registry = new_registry(process, "0.1.0")
    for register in PROCESSES[process]:
        register(registry)
    families = set()
    for collector in list(registry._collector_to_names):
        if not isinstance(collector, MetricWrapperBase):
            continue
        if collector._labelnames and not collector._metrics:
            collector.labels(*("a" for _ in collector._labelnames))
        [family] = collector.describe()
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        kind = "gauge" if family.type == "info" else family.type
        families.add(Exported(family.name + suffix, kind, tuple(collector._labelnames)))
    return generate_latest(registry), frozenset(families)
