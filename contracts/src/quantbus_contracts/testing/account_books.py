"""Fills, positions and balances in memory, with the behaviour of the real store."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from quantbus_contracts.schema import Balance, Fill, Holding
from quantbus_contracts.testing.reachable import Reachable

__all__ = ["FakeAccountBooks"]


@dataclass
class FakeAccountBooks(Reachable):
    """What bots have done and hold; writer and reader in one."""

    entries: dict[tuple[str, ...], Fill | Holding | Balance] = field(default_factory=dict)

    def record(self, entries: Sequence[Fill | Holding | Balance]) -> None:
        """Store the newest state of each entry; of twins the last counts."""
        self._check()
        self.entries |= {(type(entry).__name__, *entry.key): entry for entry in entries}

    def fills(self, *, consumer_id: str | None = None, signal_id: str | None = None) -> list[Fill]:
        """Return fills, oldest first: of one consumer, caused by one signal, or all."""
        self._check()
        found = [
            entry
            for entry in self.entries.values()
            if isinstance(entry, Fill)
            and consumer_id in (None, entry.consumer_id)
            and signal_id in (None, entry.signal_id)
        ]
        return sorted(found, key=lambda entry: entry.filled_at)

    def positions(self, *, consumer_id: str | None = None) -> list[Holding]:
        """Return what is, or was last, known of each pair, by pair."""
        self._check()
        found = [
            entry
            for entry in self.entries.values()
            if isinstance(entry, Holding) and consumer_id in (None, entry.consumer_id)
        ]
        return sorted(found, key=lambda entry: entry.pair)

    def balances(self, *, consumer_id: str | None = None) -> list[Balance]:
        """Return the balances, by currency."""
        self._check()
        found = [
            entry
            for entry in self.entries.values()
            if isinstance(entry, Balance) and consumer_id in (None, entry.consumer_id)
        ]
        return sorted(found, key=lambda entry: entry.currency)
