"""What the bus must hold after any sequence of publishes: the rules of the contract over plain lists, no database."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quantbus_contracts.schema import Signal

MOST_REVISIONS = 200
CONTENT = (
    "action",
    "weight",
    "score",
    "valid_until",
    "stop_price",
    "ref_price",
    "leverage",
    "degraded",
    "origin",
)
OUTCOMES = ("inserted", "revised", "unchanged", "stale")

Key = tuple[str, datetime]


def key_of(signal: Signal) -> Key:
    return signal.pair, signal.ts


def content_of(signal: Signal) -> tuple[object, ...]:
    return tuple(getattr(signal, name) for name in CONTENT)


@dataclass(frozen=True)
class Said:
    """One revision: what was said and by whom."""

    signal: Signal
    publisher: str

    def same_opinion(self, signal: Signal) -> bool:
        return content_of(self.signal) == content_of(signal)


@dataclass
class BusModel:
    """Every revision of every key, oldest first."""

    revisions: dict[Key, list[Said]] = field(default_factory=dict)

    def publish(self, signals: list[Signal], publisher: str, expected: Mapping[str, int]) -> dict[str, int]:
        """Take signals in order; return how many came to which outcome."""
        counts = dict.fromkeys(OUTCOMES, 0)
        for signal in signals:
            outcome, self.revisions[key_of(signal)] = after(
                self.revisions.get(key_of(signal), []), signal, publisher, expected
            )
            counts[outcome] += 1
        return counts

    def version(self, key: Key) -> int:
        return len(self.revisions.get(key, ()))


def after(
    former: list[Said], signal: Signal, publisher: str, expected: Mapping[str, int]
) -> tuple[str, list[Said]]:
    """Return the outcome of publishing one signal on top of ``former``, and what stands then."""
    if former and former[-1].same_opinion(signal):
        return "unchanged", former
    if expected.get(signal.signal_id, len(former)) != len(former):
        return "stale", former
    return ("revised" if former else "inserted"), [*former, Said(signal, publisher)]


@dataclass(frozen=True)
class Rival:
    """One side of a race: who publishes which signal and what it expects."""

    publisher: str
    signal: Signal | None
    expected: Mapping[str, int]


def orders(former: list[Said], one: Rival, other: Rival) -> Iterator[tuple[list[Said], dict[str, str]]]:
    """Yield what may stand after two publishers raced on one key, with the outcome of each: two orders, no third."""
    for first, second in ((one, other), (other, one)):
        standing, outcomes = former, {}
        for rival in (first, second):
            if rival.signal is not None:
                outcomes[rival.publisher], standing = after(
                    standing, rival.signal, rival.publisher, rival.expected
                )
        yield standing, outcomes


def entry_bounds(signal: Signal, available_at: datetime, bar: timedelta) -> tuple[datetime, datetime]:
    """Return the contract's ``[start, end)`` for an entry, with the defaults of a consumer."""
    valid_until = signal.valid_until or signal.ts + 3 * bar
    close = signal.ts + bar
    return max(close, available_at), min(valid_until, signal.ts + 3 * bar, close + 3 * bar)
