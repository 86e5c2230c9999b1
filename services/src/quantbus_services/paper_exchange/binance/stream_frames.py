"""What clients say on a stream connection, and the answers; as Binance words them."""

import json
import re
from collections.abc import Collection

from quantbus_services.paper_exchange.hub import Client, Stream
from quantbus_services.paper_exchange.listings.listings import Kind

__all__ = ["answer_frame", "read_stream"]

_NAME = re.compile(r"(?P<name>[a-zA-Z0-9_]{1,40})@kline_(?P<interval>[0-9]{1,2}[smhdwM])")
_MOST_STREAMS = 1_024
_INVALID, _NOT_JSON = 2, 3


def read_stream(label: str, kind: Kind, intervals: Collection[str]) -> Stream | None:
    """Return the stream called ``btcusdt@kline_1m``; None for one that this exchange does not have."""
    match = _NAME.fullmatch(label)
    if match is None or match["interval"] not in intervals:
        return None
    return Stream(kind, match["name"].upper(), match["interval"])


def answer_frame(text: str, client: Client, intervals: Collection[str]) -> str:
    """Do what a frame asks for and return the answer to it.

    A symbol that is not listed is accepted without a word, as Binance does: it may be listed later.
    """
    try:
        frame = json.loads(text)
    except ValueError:
        return _error(_NOT_JSON, "Invalid JSON: expected an object such as a SUBSCRIBE request", None)
    if not isinstance(frame, dict):
        return _error(_INVALID, "Invalid request: expected an object", None)
    number = frame.get("id")
    match frame.get("method"), frame.get("params"):
        case "SUBSCRIBE" | "UNSUBSCRIBE" as method, list(labels):
            streams = [read_stream(str(label), client.kind, intervals) for label in labels]
            known = {stream.label: stream for stream in streams if stream is not None}
            if None in streams:
                odd = [str(label) for label, stream in zip(labels, streams, strict=True) if stream is None]
                return _error(
                    _INVALID, f"Invalid request: there are only kline streams here, not {odd}", number
                )
            return _change(client, method == "SUBSCRIBE", known, number)
        case "LIST_SUBSCRIPTIONS", _:
            return _result(list(client.streams), number)
        case "SET_PROPERTY", ["combined", bool(combined)]:
            client.combined = combined
            return _result(None, number)
        case "GET_PROPERTY", ["combined"]:
            return _result(client.combined, number)
        case method, _:
            return _error(_INVALID, f"Invalid request: unknown method or parameters of {method!r}", number)


def _change(client: Client, add: bool, streams: dict[str, Stream], number: object) -> str:
    if not add:
        for label in streams:
            client.streams.pop(label, None)
    elif len(client.streams.keys() | streams.keys()) > _MOST_STREAMS:
        return _error(_INVALID, f"Invalid request: more than {_MOST_STREAMS} streams on a connection", number)
    else:
        client.streams |= streams
    return _result(None, number)


def _result(result: object, number: object) -> str:
    return json.dumps({"result": result, "id": number})


def _error(code: int, message: str, number: object) -> str:
    return json.dumps({"error": {"code": code, "msg": message}, "id": number})
