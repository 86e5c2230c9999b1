"""JSON without its liberties."""

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.schema.tokens import Token
from quantbus_services.gateway.strict_json import DEEPEST, JsonRefused, holds_secret, parse_strictly

PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**15), 10**15)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cc", "Cs"]), max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)


def depth_of(value: Any) -> int:
    parts = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(depth_of, parts), default=0) if isinstance(value, dict | list) else 0


@given(PLAIN)
def test_ordinary_json_means_what_it_says(value: Any) -> None:
    text = json.dumps(value).encode()
    if depth_of(value) <= DEEPEST:
        assert parse_strictly(text) == value


@given(st.binary(max_size=200))
def test_any_bytes_are_a_value_or_refused(body: bytes) -> None:
    with contextlib.suppress(JsonRefused):
        parse_strictly(body)


def test_the_deepest_is_taken_and_one_more_is_not() -> None:
    assert parse_strictly(b"[" * DEEPEST + b"]" * DEEPEST) is not None
    with pytest.raises(JsonRefused, match="in each other"):
        parse_strictly(b"[" * (DEEPEST + 1) + b"]" * (DEEPEST + 1))


@pytest.mark.parametrize(
    "text", ["NaN", "Infinity", "1e400", '{"a": 1, "a": 2}', '"\\ud83d"', '"\\u0000"', "9" * 17]
)
def test_liberties_are_refused_without_repeating_what_was_sent(text: str) -> None:
    with pytest.raises(JsonRefused) as refused:
        parse_strictly(f'["canary", {text}]'.encode())
    assert "canary" not in str(refused.value)


def test_a_secret_is_seen_wherever_it_stands() -> None:
    secret = Token.fresh("api").text
    for value in (secret, [secret], {secret: 1}, {"a": [{"b": f"it is {secret}."}]}, secret.upper()):
        assert holds_secret(value)
    assert not holds_secret({"note": "qbk_ is how keys begin", "id": secret[:16]})
