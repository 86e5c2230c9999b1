"""Who is asking, and may they: keys, signatures and timestamps as Binance checks them."""

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from quantbus_services.paper_exchange.accounts.records import ApiKey
from quantbus_services.paper_exchange.accounts.requests import Fields
from quantbus_services.paper_exchange.binance.queries import Refusal

__all__ = ["KEY_HEADER", "SignedRequest", "verified"]

KEY_HEADER = "X-MBX-APIKEY"
_WINDOW_MS = 5_000
_LONGEST_WINDOW_MS = 60_000
_AHEAD_MS = 1_000


@dataclass(frozen=True, slots=True)
class SignedRequest:
    """One request as it came over the wire; ``query`` and ``body`` are undecoded."""

    method: str
    path: str
    query: str
    body: str
    api_key: str


def verified(request: SignedRequest, keys: Mapping[str, ApiKey], now_ms: int) -> tuple[ApiKey, Fields]:
    """Return the key and the parameters of a request whose signature and time are right.

    Raises
    ------
    Refusal
        With -2014 or -2015 (key), -1102 (missing), -1022 (signature), -1131 or -1021 (time).
    """
    if not request.api_key:
        raise Refusal(-2014, "API-key format invalid.", status=401)
    key = keys.get(request.api_key)
    if key is None:
        raise Refusal(-2015, "Invalid API-key, IP, or permissions for action.", status=401)
    values = _parameters(request)
    fields = Fields(values)
    _check_signature(request, key, fields.mandatory("signature"))
    _check_time(fields, now_ms)
    return key, fields


def _parameters(request: SignedRequest) -> dict[str, str]:
    pairs = [
        pair for part in (request.query, request.body) for pair in parse_qsl(part, keep_blank_values=True)
    ]
    values = dict(pairs)
    if len(values) != len(pairs):
        raise Refusal(-1101, "Duplicate values for a parameter detected.")
    return values


def _check_signature(request: SignedRequest, key: ApiKey, signature: str) -> None:
    # What is signed is what was sent, query before body, without the signature itself.
    signed = "".join(_unsigned(part) for part in (request.query, request.body))
    expected = hmac.new(key.secret.encode(), signed.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.lower().encode()):
        raise Refusal(-1022, "Signature for this request is not valid.")


def _unsigned(part: str) -> str:
    return "&".join(piece for piece in part.split("&") if not piece.startswith("signature="))


def _check_time(fields: Fields, now_ms: int) -> None:
    fields.mandatory("timestamp")
    timestamp = fields.number("timestamp") or 0
    window = fields.number("recvWindow")
    if window is not None and window > _LONGEST_WINDOW_MS:
        raise Refusal(-1131, "recvWindow must be less than 60000.")
    if timestamp >= now_ms + _AHEAD_MS:
        raise Refusal(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if timestamp < now_ms - (_WINDOW_MS if window is None else window):
        raise Refusal(-1021, "Timestamp for this request is outside of the recvWindow.")
