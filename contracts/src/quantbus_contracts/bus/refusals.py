"""Rows that a door of the bus refused by rules of its own, kept beside those that the bus refuses."""

from collections.abc import Sequence

from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.signal_writer import record_rejections
from quantbus_contracts.schema import Rejection

__all__ = ["keep_refused"]


async def keep_refused(
    connection: AsyncConnection, rejections: Sequence[tuple[str, Rejection]], *, publisher: str
) -> None:
    """Keep rows in ``crypto_signals_rejected``: each as the text that was given, with what is wrong with it."""
    rows = [
        {
            "row": text[:10_000],
            "field": item.field,
            "value": item.value,
            "reason": item.reason[:2_000],
        }
        for text, item in rejections
    ]
    if rows:
        await connection.run(record_rejections(rows, publisher))
