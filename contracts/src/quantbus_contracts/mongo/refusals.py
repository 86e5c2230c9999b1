"""What the database's refusals of a write mean, said so that one can act."""

from collections.abc import Iterator, Mapping
from typing import Any

__all__ = ["REFUSED_BY_VALIDATOR", "told"]

REFUSED_BY_VALIDATOR = 121
_LAYOUT = "if this bus was laid out by an older version, `quantbus bus init` brings it up to date"


def told(error: Mapping[str, Any]) -> str:
    """Return a write error, as the server gives it, as a sentence; of the validator's, which fields it is about."""
    if error.get("code") != REFUSED_BY_VALIDATOR:
        return f"refused by the database: {str(error.get('errmsg', 'without a word'))[:300]}"
    details = error.get("errInfo", {}).get("details", {})
    fields = sorted(set(_blamed(details)))
    about = f"about {', '.join(fields)}" if fields else f"{details!r:.300}"
    return f"refused by the database's validator ({about}); {_LAYOUT}"


def _blamed(details: Any) -> Iterator[str]:
    """Yield the fields that a validator names, however deep: superfluous, missing or not as they should be."""
    if isinstance(details, list):
        for item in details:
            yield from _blamed(item)
    elif isinstance(details, Mapping):
        for name, value in details.items():
            if name in ("additionalProperties", "missingProperties") and isinstance(value, list):
                yield from map(str, value)
            elif name == "propertyName":
                yield str(value)
            elif name != "specifiedAs":
                yield from _blamed(value)
