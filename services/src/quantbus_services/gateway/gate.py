"""Who may come in: keys, their limits, and the patience with clients that have none."""

from collections import OrderedDict
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from typing import Protocol

from fastapi import Request

from quantbus_contracts.clock import Clock
from quantbus_contracts.schema.api_key import ApiKey, KeyKind, Scope
from quantbus_contracts.schema.tokens import Token, parse_token
from quantbus_services.gateway.errors import ApiError, Code
from quantbus_services.gateway.limits import Buckets
from quantbus_services.gateway.metrics import GatewayMetrics

__all__ = ["Gate", "KeySource", "client_of"]

_MOST_TRUSTED = 1_000


class KeySource(Protocol):
    """Where keys are kept."""

    async def get(self, key_id: str) -> ApiKey | None:
        """Return the key with this id; None if there is none."""
        ...


@dataclass(frozen=True, slots=True)
class _Trusted:
    key: ApiKey
    read_at: float


def client_of(request: Request) -> str:
    """Return the name under which a client's failures are counted: its address, of IPv6 the network."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return "unknown"
    if isinstance(address, IPv6Address):
        return str(IPv6Address(int(address) >> 64 << 64))
    return host


class Gate:
    """Admits requests with a good key, each key within its rate.

    A key that was good is trusted for ``trust_seconds`` without asking the bus, so that being turned away for
    the rate costs next to nothing, and a revocation is in force after that time. A client whose failures are
    used up is not heard with keys that were not good before: keys in use stay served while somebody guesses
    from the same address.
    """

    def __init__(
        self,
        keys: KeySource,
        clock: Clock,
        metrics: GatewayMetrics,
        *,
        rates: Buckets,
        failures: Buckets,
        trust_seconds: float,
    ) -> None:
        """Look keys up in ``keys``; ``rates`` counts requests by key, ``failures`` failed ones by client."""
        self._keys = keys
        self._clock = clock
        self._metrics = metrics
        self._rates = rates
        self._failures = failures
        self._trust_seconds = trust_seconds
        self._trusted: OrderedDict[str, _Trusted] = OrderedDict()

    async def admit(self, text: str | None, client: str, *, kind: KeyKind, scope: Scope) -> ApiKey:
        """Return the key that ``text`` spells and opens, if it is good for ``scope`` and within its rate.

        Raises
        ------
        ApiError
            With 401, 403 or 429.
        """
        token = parse_token(text) if text else None
        if token is None or token.kind != kind:
            raise self.failed(client, "malformed" if text else "missing")
        key = await self._authenticated(token, client)
        wait = self._rates.spend(key.key_id)
        if wait > 0:
            self._metrics.rate_limited.labels("key").inc()
            raise _slow_down("this key's rate is used up", wait)
        if not key.permits(scope):
            raise self._forbidden("scope", f"this key has not the scope {scope}")
        return key

    def confine(self, key: ApiKey, strategy_id: str) -> None:
        """Refuse a strategy that is not the key's.

        Raises
        ------
        ApiError
            With 403.
        """
        if not key.covers(strategy_id):
            raise self._forbidden("strategy", "this key is not for that strategy; nothing was done")

    def failed(
        self, client: str, reason: str, *, told: str = "expected a key that is known here"
    ) -> ApiError:
        """Count a failure of ``client``; return what it is told."""
        self._metrics.auth_failures.labels(reason).inc()
        wait = self._failures.spend(client)
        if wait > 0:
            return self._too_many_failures(wait)
        return ApiError(HTTPStatus.UNAUTHORIZED, Code.UNAUTHENTICATED, told)

    async def _authenticated(self, token: Token, client: str) -> ApiKey:
        known = self._trusted.get(token.key_id)
        good_before = known is not None and token.opens(known.key)
        now = self._clock.now()
        if known is not None and good_before and self._is_fresh(known) and known.key.fault(now) is None:
            self._trusted.move_to_end(token.key_id)
            return known.key
        if not good_before and (wait := self._failures.wait(client)) > 0:
            raise self._too_many_failures(wait)
        key = await self._keys.get(token.key_id)
        if key is None or not token.opens(key):
            raise self.failed(client, "unknown" if key is None else "wrong_secret")
        if fault := key.fault(now):
            self._trusted.pop(token.key_id, None)
            raise self.failed(client, fault, told=f"this key is {fault}; ask for another")
        self._trust(key)
        return key

    def _is_fresh(self, known: _Trusted) -> bool:
        return self._rates.seconds() - known.read_at < self._trust_seconds

    def _trust(self, key: ApiKey) -> None:
        self._trusted[key.key_id] = _Trusted(key, self._rates.seconds())
        self._trusted.move_to_end(key.key_id)
        if len(self._trusted) > _MOST_TRUSTED:
            self._trusted.popitem(last=False)

    def _too_many_failures(self, wait: float) -> ApiError:
        self._metrics.rate_limited.labels("client").inc()
        return _slow_down("too many failed attempts from this address", wait)

    def _forbidden(self, reason: str, message: str) -> ApiError:
        self._metrics.auth_failures.labels(reason).inc()
        return ApiError(HTTPStatus.FORBIDDEN, Code.FORBIDDEN, message)


def _slow_down(why: str, wait: float) -> ApiError:
    return ApiError(
        HTTPStatus.TOO_MANY_REQUESTS,
        Code.RATE_LIMITED,
        f"{why}; come back after the seconds in Retry-After",
        retry_after_seconds=wait,
    )
