"""The addresses that make ccxt's and Freqtrade's ``binance`` talk to the paper exchange."""

from typing import Any

__all__ = ["ccxt_config", "ccxt_urls"]

_REST_PATHS = {
    "public": "/api/v3",
    "private": "/api/v3",
    "v1": "/api/v1",
    "sapi": "/sapi/v1",
    "sapiV2": "/sapi/v2",
    "sapiV3": "/sapi/v3",
    "sapiV4": "/sapi/v4",
    "fapiPublic": "/fapi/v1",
    "fapiPublicV2": "/fapi/v2",
    "fapiPublicV3": "/fapi/v3",
    "fapiPrivate": "/fapi/v1",
    "fapiPrivateV2": "/fapi/v2",
    "fapiPrivateV3": "/fapi/v3",
    "fapiData": "/futures/data",
    "dapiPublic": "/dapi/v1",
    "dapiPrivate": "/dapi/v1",
    "dapiPrivateV2": "/dapi/v2",
    "dapiData": "/futures/data",
    "eapiPublic": "/eapi/v1",
    "eapiPrivate": "/eapi/v1",
    "papi": "/papi/v1",
    "papiV2": "/papi/v2",
}
_STREAMS = ("spot", "margin", "linear", "inverse", "stock", "option", "optionMarket", "optionPrivate", "papi")
_CALL_STREAMS = {"spot": "/ws-api/v3", "linear": "/ws-fapi/v1", "inverse": "/ws-dapi/v1"}


def ccxt_urls(base_url: str) -> dict[str, Any]:
    """Return the value of ccxt's ``urls`` that sends every request to ``base_url``.

    Every address of the venue is replaced, streams among them: one that is left out would quietly reach the
    real exchange and mix its candles with ours.
    """
    base = base_url.rstrip("/")
    stream = "ws" + base.removeprefix("http")
    streams: dict[str, Any] = {name: f"{stream}/stream" for name in _STREAMS}
    streams["linear"] = (
        f"{stream}/fapi/ws"  # ccxt tells spot from futures by the word "stream" in the address
    )
    streams["ws-api"] = {name: f"{stream}{path}" for name, path in _CALL_STREAMS.items()}
    return {"api": {name: f"{base}{path}" for name, path in _REST_PATHS.items()} | {"ws": streams}}


def ccxt_config(base_url: str) -> dict[str, Any]:
    """Return what belongs into Freqtrade's ``exchange.ccxt_config``, or into ccxt's constructor."""
    return {"urls": ccxt_urls(base_url)}
