"""What is known of orders that were claimed and may not have become trades; read by the ledger, kept in `claims`."""

from typing import Protocol

__all__ = ["UNCLAIMED", "Claimed"]


class Claimed(Protocol):
    """Knows which signals were claimed for an order, in a file that survives everything."""

    def is_open(self, signal_id: str) -> bool:
        """Tell whether it is not known yet if an order of this signal was placed."""
        ...

    def may_try_again(self, signal_id: str) -> bool:
        """Tell whether it is sure that no order of this signal was ever placed."""
        ...


class _Unclaimed:
    """Where nothing is ordered for real, nothing can be in doubt."""

    def is_open(self, signal_id: str) -> bool:
        return False

    def may_try_again(self, signal_id: str) -> bool:
        return True


UNCLAIMED: Claimed = _Unclaimed()
