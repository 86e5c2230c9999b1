"""From checked rows to the bus, and from its report to an answer."""

from collections import OrderedDict
from collections.abc import Mapping
from http import HTTPStatus

from fastapi.responses import JSONResponse

from quantbus_contracts.bus import AsyncSignalBus
from quantbus_contracts.bus.refusals import keep_refused
from quantbus_contracts.errors import BusError
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.runtime.metrics import PUBLISH_OUTCOMES
from quantbus_contracts.schema import PublishReport
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_services.gateway.errors import ApiError, Code, unconfirmed
from quantbus_services.gateway.metrics import GatewayMetrics
from quantbus_services.gateway.reports import Report, report_of
from quantbus_services.gateway.rows import CheckedRows
from quantbus_services.gateway.turns import Turns

__all__ = ["Publisher", "answer_of"]

_MOST_BUSES = 256


class Publisher:
    """Publishes in the name of a key."""

    def __init__(self, connection: AsyncConnection, metrics: GatewayMetrics) -> None:
        """Publish over ``connection``."""
        self._connection = connection
        self._metrics = metrics
        self._buses: OrderedDict[str, AsyncSignalBus] = OrderedDict()
        self._turns = Turns()

    async def publish(
        self,
        checked: CheckedRows,
        key: ApiKey,
        *,
        expected_versions: Mapping[str, int] | None = None,
        dry_run: bool = False,
    ) -> Report:
        """Publish the good rows, keep the refused ones, and return what became of each.

        Raises
        ------
        BusUnavailable
            If the bus did not answer; the same request may be sent again.
        """
        publisher = f"gateway:{key.name}:{key.key_id}"
        published = PublishReport(dry_run=dry_run)
        if checked.signals:
            async with self._turns.of({signal.strategy_id for signal in checked.signals}):
                published = await self._bus_of(publisher).publish(
                    list(checked.signals), expected_versions=expected_versions, dry_run=dry_run
                )
        notes = [] if dry_run else await self._keep(checked, publisher, published)
        refused = [rejection for _, rejection in checked.refused]
        report = report_of(published, checked.positions, refused, notes=notes)
        if not dry_run:
            for outcome in PUBLISH_OUTCOMES:
                self._metrics.published.labels(outcome).inc(getattr(report, outcome))
        return report

    def _bus_of(self, publisher: str) -> AsyncSignalBus:
        """Return the bus that signs as ``publisher``; it remembers declarations, so it is worth keeping."""
        bus = self._buses.get(publisher)
        if bus is None:
            bus = self._buses[publisher] = AsyncSignalBus(self._connection, publisher=publisher)
            if len(self._buses) > _MOST_BUSES:
                self._buses.popitem(last=False)
        self._buses.move_to_end(publisher)
        return bus

    async def _keep(self, checked: CheckedRows, publisher: str, published: PublishReport) -> list[str]:
        """Keep refused rows; that this failed must not hide what became of the others."""
        try:
            await keep_refused(self._connection, checked.refused, publisher=publisher)
        except BusError:
            if not published.total:
                raise
            return ["the refused rows could not be kept"]
        return []


def answer_of(report: Report) -> JSONResponse:
    """Return 200 where every row stands on the bus as given, 207 where some do.

    Raises
    ------
    ApiError
        With 422 where none does, and with 503 where the bus left rows unconfirmed, so that clients which
        know nothing of our reports still retry.
    """
    if report.unknown:
        raise unconfirmed(report)
    if not report.ok and not report.standing:
        raise ApiError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            Code.NOTHING_ACCEPTED,
            "none of the rows was accepted; see the report",
            report=report,
        )
    status = HTTPStatus.OK if report.ok else HTTPStatus.MULTI_STATUS
    return JSONResponse(report.model_dump(mode="json"), status)
