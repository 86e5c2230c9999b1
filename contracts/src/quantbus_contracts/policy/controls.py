"""Which control counts: expired ones do not, and of those that do the most restrictive wins."""

from collections.abc import Iterable
from datetime import UTC, datetime

from quantbus_contracts.schema import Control

__all__ = ["active_controls", "strictest_control"]

_NEVER = datetime.max.replace(tzinfo=UTC)


def active_controls(
    controls: Iterable[Control],
    now: datetime,
    *,
    strategy_id: str | None = None,
    pair: str | None = None,
    consumer_id: str | None = None,
) -> list[Control]:
    """Return the controls that count at ``now`` for a strategy, pair and consumer, most restrictive first.

    Of equally restrictive ones the longer lasting comes first, so that the first says when it is over. ``now``
    is the database's clock.
    """
    found = [
        control
        for control in controls
        if control.is_active(now)
        and control.concerns(strategy_id=strategy_id, pair=pair, consumer_id=consumer_id)
    ]
    return sorted(found, key=_strictness, reverse=True)


def strictest_control(
    controls: Iterable[Control],
    now: datetime,
    *,
    strategy_id: str | None = None,
    pair: str | None = None,
    consumer_id: str | None = None,
) -> Control | None:
    """Return the one control to obey at ``now`` for a strategy, pair and consumer; None if there is none."""
    found = active_controls(controls, now, strategy_id=strategy_id, pair=pair, consumer_id=consumer_id)
    return found[0] if found else None


def _strictness(control: Control) -> tuple[int, datetime, str, str]:
    return control.kind.rank, control.expires_at or _NEVER, control.scope, control.source
