"""What is known about a model besides its trees."""

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict

__all__ = ["DataSpan", "Manifest", "model_id_of"]


class DataSpan(BaseModel):
    """The bars a model has seen."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    timeframe: str
    first_open_time: datetime
    last_open_time: datetime
    bars: Mapping[str, int]
    """By symbol."""
    snapshot_id: str
    """Of the bars themselves, which lie under ``snapshots`` beside the models."""


class Manifest(BaseModel):
    """Stands beside the model's text as ``model_info.json``; names its hash and all needed to make it again."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model_id: str
    strategy_id: str
    kind: str
    model_sha256: str
    trained_at: datetime
    code_version: str
    training_hash: str
    seed: int
    data: DataSpan
    factors: Mapping[str, str]
    """Signature by name, in the order of the model's columns."""
    label: str
    metrics: Mapping[str, float | int | None]
    """Of a model fitted on the older part and judged on the newer; the stored one is fitted on both."""
    description: Mapping[str, str | int | float]
    libraries: Mapping[str, str] = {}
    """Version by name."""
    limits: tuple[str, ...] = ()
    """What the model is not good for, as far as is known."""
    files: Mapping[str, str] = {}
    """SHA-256 of each other file, by name."""


def model_id_of(
    *, training_hash: str, data: DataSpan, factors: Mapping[str, str], code_version: str, library: str
) -> str:
    """Name a model by all that decides what it becomes; the same inputs give the same id."""
    meaning = [training_hash, data.snapshot_id, dict(factors), code_version, library]
    digest = hashlib.sha256(json.dumps(meaning, sort_keys=True).encode()).hexdigest()
    return f"{data.last_open_time:%Y%m%dT%H%M}-{digest[:12]}"
