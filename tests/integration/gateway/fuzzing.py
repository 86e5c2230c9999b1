"""Requests made up from the gateway's own OpenAPI, and from rows that are almost good."""

from collections import Counter
from typing import Any

import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)

from tests.integration.gateway.running import Gateway

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
    allow_header_conformance,
    unsupported_method,
    ignored_auth,
]
GOOD_ROW: dict[str, Any] = {
    "strategy_id": "fuzz",
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "timeframe": "1m",
    "ts": "2026-01-05T12:00:00Z",
    "action": "enter_long",
}
GOOD_ALERT: dict[str, Any] = {
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "interval": "1",
    "time": "2026-01-05T12:00:00Z",
    "action": "enter_long",
}
_SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=40)
)
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)
_PROBES = {"/healthz", "/readyz", "/metrics"}


def almost(good: dict[str, Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Return what is good but for some fields, each changed, added or taken away."""
    names = st.sampled_from([*good, "weight", "score", "valid_until", "note", "stop_price", "$where", "_id"])
    changed = st.dictionaries(names, _VALUES, max_size=2).map(lambda given: good | given)
    return changed | st.tuples(changed, names).map(
        lambda pair: {name: value for name, value in pair[0].items() if name != pair[1]}
    )


def fuzz(gateway: Gateway, *, cases: int) -> Counter[str]:
    """Send about ``cases`` made-up requests; return how many of each status came back.

    Raises
    ------
    FailureGroup
        At an answer of 500 or more, and at one that the OpenAPI does not describe.
    """
    key, hook = gateway.new_key(), gateway.new_hook("fuzz")
    gateway.client(key).post("/v1/signals", json=[GOOD_ROW]).raise_for_status()
    schema = schemathesis.openapi.from_url(f"{gateway.url}/openapi.json")
    found = list(schema.get_all_operations())
    operations = [each.ok() for each in found if isinstance(each, Ok)]
    assert len(operations) == len(found), "an operation cannot be read"
    busy = [operation for operation in operations if operation.path not in _PROBES]
    tally: Counter[str] = Counter()
    secrets = {"key": key, "hook": hook}
    for operation in operations:
        if operation.path in _PROBES:  # they take nothing, so nothing of it can be wrong
            _fuzz_operation(operation, GenerationMode.POSITIVE, 1, secrets, tally)
            continue
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            _fuzz_operation(operation, mode, -(-cases // (2 * len(busy))), secrets, tally)
    return tally


def _fuzz_operation(
    operation: APIOperation[Any, Any, Any, Any],
    mode: GenerationMode,
    examples: int,
    secrets: dict[str, str],
    tally: Counter[str],
) -> None:
    @settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode), data=st.data())
    def each(case: Case[Any], data: st.DataObject) -> None:
        _make_interesting(case, data, secrets)
        response = case.call(headers={"Authorization": f"Bearer {secrets['key']}"}, timeout=20)
        tally[str(response.status_code)] += 1
        case.validate_response(response, checks=CHECKS)

    each()


def _make_interesting(case: Case[Any], data: st.DataObject, secrets: dict[str, str]) -> None:
    """Let most cases past the first door: a good token, the hook's strategy, rows that are almost good."""
    nearly = data.draw(st.integers(0, 3)) > 0
    if "/hooks/" in case.path:
        if nearly:
            case.path_parameters["strategy_id"] = "fuzz"
            case.body = data.draw(almost(GOOD_ALERT))
        if isinstance(case.body, dict):
            case.body["token"] = secrets["hook"]
    elif case.method == "POST" and nearly:
        rows: list[Any] = data.draw(st.lists(st.just(GOOD_ROW) | almost(GOOD_ROW), max_size=4))
        case.body = rows
    elif case.method == "GET" and nearly and case.query:
        case.query |= {"strategy_id": "fuzz", "timeframe": "1m"}
