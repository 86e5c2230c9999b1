"""The websocket side: connections by raw or combined path, and frames on them."""

import asyncio
import contextlib

from fastapi import FastAPI
from starlette.websockets import WebSocket, WebSocketDisconnect

from quantbus_services.paper_exchange.binance.stream_frames import answer_frame, read_stream
from quantbus_services.paper_exchange.hub import Client, Stream
from quantbus_services.paper_exchange.listings.listings import Kind
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["add_stream_routes"]

_PATHS: dict[Kind, tuple[str, ...]] = {
    "spot": ("/ws", "/ws/{rest:path}", "/stream", "/stream/{rest:path}"),
    "swap": (
        "/fapi/ws", "/fapi/ws/{rest:path}", "/fapi/stream", "/fapi/stream/{rest:path}",
        "/fapi/market/ws", "/fapi/market/ws/{rest:path}", "/fapi/public/ws/{rest:path}",
    ),
}  # fmt: skip
_INVALID_STREAM = 1008
_CLOSE_SECONDS = 2


def add_stream_routes(app: FastAPI, venue: Venue) -> None:
    """Serve the streams of spot under ``/ws`` and ``/stream``, those of futures under ``/fapi``."""

    async def spot(websocket: WebSocket) -> None:
        await _serve(websocket, venue, "spot")

    async def swap(websocket: WebSocket) -> None:
        await _serve(websocket, venue, "swap")

    for path in _PATHS["spot"]:
        app.add_api_websocket_route(path, spot)
    for path in _PATHS["swap"]:
        app.add_api_websocket_route(path, swap)


async def _serve(websocket: WebSocket, venue: Venue, kind: Kind) -> None:
    await websocket.accept()
    client = Client(kind, combined="streams" in websocket.query_params)
    asked = _asked_by_address(websocket, kind, venue)
    if None in asked:
        await websocket.close(_INVALID_STREAM, "there are only kline streams here: btcusdt@kline_1m")
        return
    client.streams = {stream.label: stream for stream in asked if stream is not None}
    venue.hub.join(client)
    tasks = [
        asyncio.create_task(part)
        for part in (_listen(websocket, client, venue), _send(websocket, client), client.ended())
    ]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        venue.hub.leave(client)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    if client.closing is not None:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, TimeoutError):
            async with asyncio.timeout(_CLOSE_SECONDS):  # a client that reads nothing does not say goodbye
                await websocket.close(*client.closing)


def _asked_by_address(websocket: WebSocket, kind: Kind, venue: Venue) -> list[Stream | None]:
    """Return the streams in ``?streams=a/b`` or ``/ws/a/b``; ccxt puts a mere number there, which names none."""
    rest = websocket.query_params.get("streams") or websocket.path_params.get("rest", "")
    labels = [label for label in rest.split("/") if label and not label.isdigit()]
    return [read_stream(label, kind, venue.market(kind).timeframes) for label in labels]


async def _listen(websocket: WebSocket, client: Client, venue: Venue) -> None:
    """Answer frames until the client leaves; protocol pings are answered by the server below."""
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            text = await websocket.receive_text()
            client.offer(answer_frame(text, client, venue.market(client.kind).timeframes))


async def _send(websocket: WebSocket, client: Client) -> None:
    with contextlib.suppress(WebSocketDisconnect):
        while True:
            await websocket.send_text(await client.next())
