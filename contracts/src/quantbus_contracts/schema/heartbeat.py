"""A process says that it lives."""

from typing import Annotated

from pydantic import Field

from quantbus_contracts.schema._base import Document, Identifier, UtcMoment

__all__ = ["Heartbeat"]


class Heartbeat(Document):
    """The last sign of life of one process, with what it was doing."""

    process: Identifier
    """What it is: ``ingestion``, ``research``, ``executor``, ``monitor``."""
    instance: Identifier
    """Which one of them, stable across restarts."""
    at: UtcMoment
    started_at: UtcMoment
    version: Annotated[str, Field(max_length=64)]
    detail: dict[str, str | int | float | bool | None] = Field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str]:
        """What makes the row unique: process and instance."""
        return self.process, self.instance
