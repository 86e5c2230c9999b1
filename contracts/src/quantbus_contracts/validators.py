"""Builders of ``$jsonSchema`` validators, which stand behind the pydantic models.

NaN and infinity are doubles to a schema, so every number carries a finite minimum and maximum; neither
compares true with them.
"""

from collections.abc import Mapping
from typing import Any

from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES

__all__ = [
    "Schema",
    "closed",
    "count",
    "flag",
    "items",
    "moment",
    "number",
    "one_of",
    "text",
    "texts",
    "timeframe_name",
]

Schema = dict[str, Any]


def text(pattern: str | None = None, *, at_most: int = 256) -> Schema:
    """Return the schema of a non-empty string."""
    schema: Schema = {"bsonType": "string", "minLength": 1, "maxLength": at_most}
    return schema | {"pattern": pattern} if pattern else schema


def texts(*, at_most: int) -> Schema:
    """Return the schema of a list of non-empty strings."""
    return {"bsonType": "array", "maxItems": at_most, "items": text()}


def number(least: float, most: float, *, above: bool = False) -> Schema:
    """Return the schema of a double in ``[least, most]``, or ``(least, most]`` with ``above``."""
    return {"bsonType": "double", "minimum": least, "maximum": most, "exclusiveMinimum": above}


def count(most: int = 1_000_000_000, *, least: int = 0) -> Schema:
    """Return the schema of a whole number."""
    return {"bsonType": ["int", "long"], "minimum": least, "maximum": most}


def moment() -> Schema:
    """Return the schema of a UTC datetime."""
    return {"bsonType": "date"}


def flag() -> Schema:
    """Return the schema of a boolean."""
    return {"bsonType": "bool"}


def one_of(*values: str) -> Schema:
    """Return the schema of a closed set of strings."""
    return {"enum": list(values)}


def items(fields: Schema, optional: Schema | None = None, *, at_most: int) -> Schema:
    """Return the schema of a list: of one kind of value, or of closed objects with these fields.

    ``fields`` with ``bsonType`` or ``enum`` is a value's schema, else a mapping of names to schemas.
    """
    if "enum" in fields or "bsonType" in fields:
        return {"bsonType": "array", "maxItems": at_most, "items": fields}
    one: Schema = {
        "bsonType": "object",
        "required": list(fields),
        "properties": {**fields, **(optional or {})},
        "additionalProperties": False,
    }
    return {"bsonType": "array", "maxItems": at_most, "items": one}


def timeframe_name() -> Schema:
    """Return the schema of a supported timeframe."""
    return one_of(*SUPPORTED_TIMEFRAMES)


def closed(
    required: Mapping[str, Schema],
    optional: Mapping[str, Schema] | None = None,
    *,
    also: Mapping[str, Any] | None = None,
) -> Schema:
    """Return a validator that requires, allows, and refuses everything else; ``also`` adds an ``$expr``."""
    schema = {
        "$jsonSchema": {
            "bsonType": "object",
            "required": ["_id", *required],
            "properties": {"_id": {}, **required, **(optional or {})},
            "additionalProperties": False,
        }
    }
    return {"$and": [schema, dict(also)]} if also else schema
