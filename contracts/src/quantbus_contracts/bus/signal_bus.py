"""`SignalBus`: publish from anywhere, as often as you like, and be told what became of every row."""

import getpass
import socket
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from quantbus_contracts.bus.rows import CheckedRows, check_rows, report_of
from quantbus_contracts.mongo.client import AsyncConnection, Connection, connect
from quantbus_contracts.mongo.signal_writer import RowResult, publish_signals, record_rejections, record_run
from quantbus_contracts.mongo.steps import Steps
from quantbus_contracts.mongo.strategies import AsyncStrategyStore, StrategyStore
from quantbus_contracts.runtime.settings import MongoSettings, load_settings
from quantbus_contracts.schema import PublishReport, PublishRun, Signal, Strategy
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncSignalBus", "SignalBus", "default_valid_until"]

DEFAULT_VALID_BARS = 3
"""A signal without an end of its own lives until three bars after its bar's open: two after its close."""

Rows = Sequence[Signal | Mapping[str, object]]


def default_valid_until(signal: Signal) -> datetime:
    """Return the end of a signal that names none."""
    return signal.ts + DEFAULT_VALID_BARS * Timeframe.parse(signal.timeframe).delta


def _this_publisher() -> str:
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container may run as a number without a name
        user = "unknown"
    return f"{user}@{socket.gethostname()}"


def _publish(
    checked: CheckedRows, rows: Rows, publisher: str, expected: Mapping[str, int]
) -> Steps[PublishReport]:
    results: list[RowResult] = yield from publish_signals(
        checked.signals,
        publisher=publisher,
        batch_id=uuid.uuid4().hex,
        default_valid_until=default_valid_until,
        expected_versions=expected,
    )
    report = report_of([(result.outcome.value, result.reason) for result in results], checked)
    if report.rejections:
        refused = [
            {
                "row": repr(rows[item.row])[:10_000],
                "field": item.field,
                "value": item.value,
                "reason": item.reason[:2_000],
            }
            for item in report.rejections
        ]
        yield from record_rejections(refused, publisher)
    return report


class SignalBus:
    """Publishes signals, synchronously.

    Publishing the same rows again is always safe: equal content writes nothing, other content becomes the next
    version, and a batch that broke off is completed.
    """

    def __init__(self, connection: Connection, *, publisher: str | None = None) -> None:
        """Publish over ``connection``, signed with ``publisher`` (user@host where not given)."""
        self.connection = connection
        self.publisher = publisher or _this_publisher()

    @classmethod
    def from_env(cls, *, publisher: str | None = None) -> Self:
        """Connect as the environment says: ``QUANTBUS_MONGO_URI``, else the embedded server."""
        return cls(connect(load_settings(MongoSettings), app="publisher"), publisher=publisher)

    def publish(self, rows: Rows, *, expected_versions: Mapping[str, int] | None = None) -> PublishReport:
        """Publish models or mappings; each row is validated and written on its own.

        Raises
        ------
        BusUnavailable
            If the bus could not be read at all; nothing was written.
        """
        rows = list(rows)
        return self.connection.run(_publish(check_rows(rows), rows, self.publisher, expected_versions or {}))

    def declare(self, strategy: Strategy) -> None:
        """Store or replace a strategy's declaration."""
        StrategyStore(self.connection).declare(strategy)

    def record_run(self, run: PublishRun) -> None:
        """Note that a strategy was evaluated for a bar, also when it had nothing to say."""
        self.connection.run(record_run(run))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class AsyncSignalBus:
    """Publishes signals, asynchronously; the methods are those of `SignalBus`, awaited."""

    def __init__(self, connection: AsyncConnection, *, publisher: str | None = None) -> None:
        """Publish over ``connection``, signed with ``publisher`` (user@host where not given)."""
        self.connection = connection
        self.publisher = publisher or _this_publisher()

    async def publish(
        self, rows: Rows, *, expected_versions: Mapping[str, int] | None = None
    ) -> PublishReport:
        """Publish models or mappings; see `SignalBus.publish`."""
        rows = list(rows)
        steps = _publish(check_rows(rows), rows, self.publisher, expected_versions or {})
        return await self.connection.run(steps)

    async def declare(self, strategy: Strategy) -> None:
        """Store or replace a strategy's declaration."""
        await AsyncStrategyStore(self.connection).declare(strategy)

    async def record_run(self, run: PublishRun) -> None:
        """Note that a strategy was evaluated for a bar, also when it had nothing to say."""
        await self.connection.run(record_run(run))
