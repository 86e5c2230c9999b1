"""JSON without its liberties: no NaN, no twins among keys, no depths, no characters that nobody can mean.

Whatever passes here is made of finite numbers and clean text, so that no row can break the bus's own encoding.
"""

import json
import math
from collections.abc import Iterator, Sequence

from quantbus_contracts.schema.tokens import SECRET_SHAPE

__all__ = ["JsonRefused", "holds_secret", "parse_strictly"]

DEEPEST = 8
"""Nested lists and objects; a batch of signals needs three."""
_LONGEST_NUMBER = 40
_MOST_DIGITS = 16


class JsonRefused(ValueError):
    """The text is no JSON that we take; the message repeats nothing of it."""


def parse_strictly(body: bytes) -> object:
    """Return what ``body`` says.

    Raises
    ------
    JsonRefused
        If it is not UTF-8, not JSON, or JSON with what is listed above.
    """
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonRefused(f"expected UTF-8, found another byte at {error.start}") from None
    try:
        value = json.loads(
            text,
            parse_constant=_refuse_constant,
            parse_float=_finite,
            parse_int=_integer,
            object_pairs_hook=_without_twins,
        )
    except json.JSONDecodeError as error:
        raise JsonRefused(f"expected JSON, found none at line {error.lineno} column {error.colno}") from None
    except RecursionError:
        raise JsonRefused(_too_deep()) from None
    _check(value)
    return value


def _too_deep() -> str:
    return f"expected at most {DEEPEST} lists and objects in each other, found more"


def _refuse_constant(name: str) -> object:
    raise JsonRefused(f"expected finite numbers, found {name}")


def _finite(text: str) -> float:
    value = float(text) if len(text) <= _LONGEST_NUMBER else math.inf
    if not math.isfinite(value):
        raise JsonRefused(f"expected numbers of at most {_LONGEST_NUMBER} characters that fit a double")
    return value


def _integer(text: str) -> int:
    if len(text.lstrip("-")) > _MOST_DIGITS:
        raise JsonRefused(f"expected whole numbers of at most {_MOST_DIGITS} digits, found a longer one")
    return int(text)


def _without_twins(pairs: Sequence[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise JsonRefused("expected each name once in an object, found one twice")
    return found


def _check(value: object) -> None:
    for text in _texts(value):
        if any(character < " " and character not in "\t\n\r" for character in text):
            raise JsonRefused("expected text without control characters, found one")
        if not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text):
            raise JsonRefused("expected whole Unicode characters, found half of a surrogate pair")


def holds_secret(value: object) -> bool:
    """Tell whether any text in ``value`` looks like a secret of ours."""
    return any(SECRET_SHAPE.search(text) for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    """Yield every text, names included, without recursion."""
    open_values: list[tuple[object, int]] = [(value, 1)]
    while open_values:
        item, depth = open_values.pop()
        if isinstance(item, str):
            yield item
        elif isinstance(item, dict | list):
            if depth > DEEPEST:
                raise JsonRefused(_too_deep())
            parts = [*item.keys(), *item.values()] if isinstance(item, dict) else item
            open_values.extend((part, depth + 1) for part in parts)
