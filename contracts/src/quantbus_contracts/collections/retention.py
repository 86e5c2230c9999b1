"""What the database may remove by itself, and why nobody misses it. All else stays until a person decides."""

from collections.abc import Mapping

__all__ = ["MAY_GO"]

MAY_GO: Mapping[str, str] = {
    "crypto_signals_rejected": "a refused row was never a signal; its reason is of use to whoever sent it, for a while",
    "account_snapshots": "only the latest ones decide anything; the exchange keeps the account's history",
}
"""What may have an end, and the reason. What was traded, why, and who allowed it is not here."""
