"""How the database stands that carries the bus: its members, and the room on its disk."""

from dataclasses import dataclass
from typing import Literal

__all__ = ["BusHealth", "MemberHealth", "MemberState"]

MemberState = Literal["primary", "secondary", "arbiter", "other"]
"""``other``: starting, catching up from nothing, rolling back, or not reachable."""


@dataclass(frozen=True, slots=True)
class MemberHealth:
    """One member of the replica set."""

    name: str
    state: MemberState
    lag_seconds: float | None
    """Behind the primary by what it has written; None where there is no primary, or the member does not say."""


@dataclass(frozen=True, slots=True)
class BusHealth:
    """The replica set, and the disk of the member that answered."""

    members: tuple[MemberHealth, ...]
    disk_size_bytes: float
    disk_free_bytes: float
