"""Signals of an answer by pair, and the pairs of which the answer cannot be read.

A row that was written past the validators may be anything. It is no signal, and it makes no other pair wait: neither
by its types, nor by its size, nor by bytes that two readers would read differently.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import bson
from bson.codec_options import CodecOptions
from bson.errors import BSONError
from bson.raw_bson import RawBSONDocument

from quantbus_contracts.errors import ContractError
from quantbus_contracts.mongo.client import row_of
from quantbus_contracts.mongo.documents import signal_from_row
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.schema import PublishedSignal

__all__ = ["Known", "around", "signal_within", "without_giants"]

_OUTER: CodecOptions[RawBSONDocument] = CodecOptions(
    document_class=RawBSONDocument, tz_aware=True, tzinfo=UTC
)

_MOST_KNOWN = 20_000
"""Rows kept after they were read, about 4 kB each."""
_GREATEST_ROW = 2 * 1024 * 1024
"""Bytes; 200 revisions with the longest of all texts are 1.5 MB."""


def without_giants(field: str) -> Row:
    """Return the stage that leaves out the document in ``field`` where no sound row can be so large."""
    size = {"$bsonSize": f"${field}"}
    return {"$set": {field: {"$cond": [{"$lte": [size, _GREATEST_ROW]}, f"${field}", None]}}}


class Known:
    """Signals that were read before, by the bytes they came as.

    A consumer asks every second for what changes once a bar. Decoding and checking a row costs several times what
    fetching it does, so only bytes that have not been seen are looked at. Safe to share between threads.
    """

    def __init__(self) -> None:
        """Know nothing yet."""
        self._by_document: dict[bytes, tuple[str, PublishedSignal | None]] = {}

    def read(self, documents: Sequence[bytes]) -> tuple[dict[str, PublishedSignal], tuple[str, ...]]:
        """Return the signals of an answer by pair, and the pairs whose row is no signal."""
        known = self._by_document
        read = {document: known.get(document) or _read(document) for document in documents}
        if new := read.keys() - known.keys():  # bounded: at worst only the newest answer is kept
            self._by_document = read if len(known) + len(new) > _MOST_KNOWN else known | read
        signals = {pair: signal for pair, signal in read.values() if signal is not None}
        return signals, tuple(pair for pair, signal in read.values() if signal is None)


def around(document: bytes) -> Mapping[str, Any]:
    """Return the fields of an answer without decoding the row within."""
    return RawBSONDocument(document, _OUTER)


def signal_within(document: bytes) -> PublishedSignal | None:
    """Return the signal that an answer carries as ``row``; None where that is no signal."""
    try:
        answer = row_of(document)
        if bson.encode(answer) != document:  # a field that stands twice, or of a type that reads as another
            return None
        published = signal_from_row(answer["row"])
    except (BSONError, ContractError, ValueError):
        return None
    return published if answer["row"]["_id"] == published.signal_id else None


def _read(document: bytes) -> tuple[str, PublishedSignal | None]:
    return str(around(document)["_id"])[:200], signal_within(document)
