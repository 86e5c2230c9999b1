"""Whether trades knew only what could be known: no revision opens one before max(close, available_at).

Freqtrade's lookahead-analysis compares runs over shorter data; it cannot see a leak in rows of a bus, which are the
same in every run. This looks at each trade instead, and at the row that its tag names.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from quantbus_contracts.policy import TradingRules, wish_of
from quantbus_contracts.schema import PublishedSignal
from quantbus_executor.trades.tags import signal_of_entry_tag, signal_of_exit_tag

__all__ = ["Leak", "TradeFacts", "leaks"]


class TradeFacts(Protocol):
    """What is asked of a trade."""

    @property
    def pair(self) -> str:
        """What was traded."""
        ...

    @property
    def enter_tag(self) -> str | None:
        """The tag it was entered with."""
        ...

    @property
    def opened_at(self) -> datetime:
        """When it was opened."""
        ...

    @property
    def exit_reason(self) -> str | None:
        """Why it was left; None while it is open."""
        ...

    @property
    def closed_at(self) -> datetime | None:
        """When it was left; None while it is open."""
        ...


@dataclass(frozen=True, slots=True)
class Leak:
    """A trade that was opened or left before the row that it names could be known, or because of no row at all."""

    pair: str
    moment: datetime
    signal_id: str | None
    known_from: datetime | None
    what: str

    def __str__(self) -> str:
        early = f" {self.known_from - self.moment} too early" if self.known_from else ""
        return f"{self.pair} {self.what} at {self.moment.isoformat()}{early} (signal {self.signal_id})"


def leaks(
    trades: Iterable[TradeFacts],
    signals: Mapping[str, PublishedSignal],
    *,
    rules: TradingRules | None = None,
    clock_skew: timedelta = timedelta(0),
) -> list[Leak]:
    """Return every entry, and every exit that names a signal, that came too early; ``signals`` are by id.

    What counts is the first revision that asks for it by ``rules``, not the first that stood there. A trade whose tag
    names no known row, or one that never asked for it, is a leak as well: what opened it cannot be told.
    """
    look = _Look(signals, rules or TradingRules(), clock_skew)
    found = []
    for trade in trades:
        entry = signal_of_entry_tag(trade.enter_tag)
        found.append(look.at(trade.pair, "opened", trade.opened_at, entry))
        leaving = signal_of_exit_tag(trade.exit_reason)
        if leaving is not None and trade.closed_at is not None:
            found.append(look.at(trade.pair, "left", trade.closed_at, leaving))
    return [leak for leak in found if leak is not None]


@dataclass(frozen=True, slots=True)
class _Look:
    signals: Mapping[str, PublishedSignal]
    rules: TradingRules
    skew: timedelta

    def at(self, pair: str, what: str, moment: datetime, signal_id: str | None) -> Leak | None:
        published = self.signals.get(signal_id) if signal_id is not None else None
        if published is None:
            return Leak(pair, moment, signal_id, None, f"{what} without a row that is known")
        asked = self._asked_from(published, entering=what == "opened")
        if asked is None:
            return Leak(pair, moment, signal_id, None, f"{what} by a row that never asked for it")
        known_from = max(published.signal.closes_at, asked)
        return Leak(pair, moment, signal_id, known_from, what) if moment + self.skew < known_from else None

    def _asked_from(self, published: PublishedSignal, *, entering: bool) -> datetime | None:
        """Return since when a revision stands on the bus that asks to enter, or to leave."""
        revisions = [(revision.signal, revision.available_at) for revision in published.history]
        for signal, available_at in (*revisions, (published.signal, published.available_at)):
            wish = wish_of(signal, self.rules)
            if wish.take is not None if entering else wish.leave:
                return available_at
        return None
