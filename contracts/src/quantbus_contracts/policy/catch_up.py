"""What to do, once one looks again, about signals that came while nobody looked."""

from datetime import datetime
from enum import StrEnum

from quantbus_contracts.schema import PublishedSignal

__all__ = ["CatchUp", "is_missed"]


class CatchUp(StrEnum):
    """The policy about what became available during a downtime of the bot or of the bus."""

    IF_VALID = "if_valid"
    """Nothing special: an entry is made if its time is not over, and exits do not expire."""
    EXITS_ONLY = "exits_only"
    """No entries; exits count."""
    SKIP = "skip"
    """Neither; an exit that was read before the downtime stands all the same."""


def is_missed(published: PublishedSignal, looking_since: datetime | None) -> bool:
    """Tell whether this revision came before ``looking_since``, when one began to look (None: always did)."""
    return looking_since is not None and published.available_at < looking_since
