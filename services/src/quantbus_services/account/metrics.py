"""What the account service tells Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge

from quantbus_contracts.runtime.metrics import bus_up
from quantbus_contracts.schema import AccountSnapshot

__all__ = ["AccountMetrics"]

_OUTCOMES = ("complete", "partial", "not_stored")


class AccountMetrics:
    """The counters and gauges of one account service."""

    def __init__(self, registry: CollectorRegistry) -> None:
        """Register the metrics."""
        self._bus_up = bus_up(registry)
        self._looks = Counter(
            "quantbus_account_looks", "Looks at the account by outcome.", ["outcome"], registry=registry
        )
        self._errors = Counter(
            "quantbus_account_errors", "Questions that the venue did not answer.", ["kind"], registry=registry
        )
        self._last = Gauge(
            "quantbus_account_complete_timestamp_seconds",
            "When everything of the account was last read; 0 if never.",
            registry=registry,
        )
        self._balance = Gauge(
            "quantbus_account_balance",
            "What the account has, as the venue says; absent while that is unknown.",
            ["account", "market", "currency"],
            registry=registry,
        )
        for outcome in _OUTCOMES:
            self._looks.labels(outcome)

    def error(self, kind: str) -> None:
        """Count a question without an answer."""
        self._errors.labels(kind).inc()

    def not_stored(self) -> None:
        """Count a look that the bus did not take."""
        self._bus_up.set(0)
        self._looks.labels("not_stored").inc()

    def stored(self, snapshot: AccountSnapshot) -> None:
        """Note a look that the bus took."""
        self._bus_up.set(1)
        self._looks.labels("complete" if snapshot.is_complete else "partial").inc()
        if snapshot.is_complete:
            self._last.set(snapshot.at.timestamp())
        self._balance.clear()
        for one in snapshot.balances:
            self._balance.labels(snapshot.account, one.market, one.currency).set(one.total)
