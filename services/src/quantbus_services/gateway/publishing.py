"""From checked rows to the bus, and from its report to an answer."""

from collections.abc import Mapping
from http import HTTPStatus

from fastapi.responses import JSONResponse

from quantbus_contracts.bus import AsyncSignalBus
from quantbus_contracts.bus.refusals import keep_refused
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.schema import PublishReport
from quantbus_contracts.schema.api_key import ApiKey
from quantbus_services.gateway.errors import ApiError, Code, unconfirmed
from quantbus_services.gateway.metrics import GatewayMetrics
from quantbus_services.gateway.reports import Report, report_of
from quantbus_services.gateway.rows import CheckedRows

__all__ = ["Publisher", "answer_of"]


class Publisher:
    """Publishes in the name of a key."""

    def __init__(self, connection: AsyncConnection, metrics: GatewayMetrics) -> None:
        """Publish over ``connection``."""
        self._connection = connection
        self._metrics = metrics

    async def publish(
        self, checked: CheckedRows, key: ApiKey, expected_versions: Mapping[str, int] | None = None
    ) -> Report:
        """Publish the good rows, keep the refused ones, and return what became of each.

        Raises
        ------
        BusUnavailable
            If the bus did not answer; the same request may be sent again.
        """
        publisher = f"gateway:{key.name}:{key.key_id}"
        published = PublishReport()
        if checked.signals:
            bus = AsyncSignalBus(self._connection, publisher=publisher)
            published = await bus.publish(list(checked.signals), expected_versions=expected_versions)
        await keep_refused(self._connection, checked.refused, publisher=publisher)
        report = report_of(published, checked.positions, [rejection for _, rejection in checked.refused])
        for outcome in ("inserted", "revised", "unchanged", "stale", "unknown", "rejected"):
            self._metrics.published.labels(outcome).inc(getattr(report, outcome))
        return report


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
