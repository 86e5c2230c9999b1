"""The newest signal of each pair: asked for once a loop, kept with its age when the bus does not answer."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.ports import SignalReader, SignalSnapshot
from quantbus_contracts.schema import PublishedSignal
from quantbus_contracts.timeframe import Timeframe

__all__ = ["SignalFeed"]

logger = logging.getLogger(__name__)
_OFF_BY_LITTLE = timedelta(seconds=1)
"""So much a slow answer takes; a clock that is off by no more costs nothing."""


@dataclass(frozen=True, slots=True)
class _Answer:
    """What the bus said, on its clock and on ours."""

    server_time: datetime
    received_at: datetime
    signals: Mapping[str, PublishedSignal] = field(default_factory=dict)
    unreadable: frozenset[str] = frozenset()


class SignalFeed:
    """Follows the newest closed-bar signal of each pair of one strategy.

    Whether an answer is recent decides about entries only: the signals of an old answer stay readable, since
    exits do not expire.
    """

    def __init__(
        self,
        reader: SignalReader,
        clock: Clock,
        *,
        strategy_id: str,
        timeframe: Timeframe,
        clock_skew: timedelta,
        max_answer_age: timedelta,
    ) -> None:
        """Read through ``reader``; each question is bounded by the reader's own time-out."""
        self._reader = reader
        self._clock = clock
        self._strategy_id = strategy_id
        self._timeframe = timeframe
        self._clock_skew = clock_skew
        self._max_answer_age = max_answer_age
        self._answer: _Answer | None = None
        self._failed_since: datetime | None = None
        self.looking_since: datetime | None = None
        """Since when (database clock) the bus has answered without a gap longer than an entry may rest on an answer."""

    def refresh(self, pairs: Sequence[str]) -> bool:
        """Ask the bus about ``pairs``; return whether it answered."""
        try:
            snapshot = self._ask(pairs)
        except QuantbusError as error:
            self._note_failure(error)
            return False
        self._note_unreadable(frozenset(snapshot.unreadable))
        # Something newer was said of such a pair, and nobody knows what: it is not entered, and an exit stands.
        former = self._answer.signals if self._answer else {}
        kept = {pair: former[pair] for pair in snapshot.unreadable if pair in former}
        self._note_answer(
            _Answer(
                snapshot.now, self._clock.now(), {**kept, **snapshot.signals}, frozenset(snapshot.unreadable)
            )
        )
        return True

    def _ask(self, pairs: Sequence[str]) -> SignalSnapshot:
        """Ask for what had closed by now; once more, with the database's clock, where ours turns out to be wrong."""
        assumed = self.now()
        snapshot = self._closed_by(assumed, pairs)
        if abs(snapshot.now - assumed) <= max(self._clock_skew, _OFF_BY_LITTLE):
            return snapshot
        return self._closed_by(snapshot.now, pairs)

    def _closed_by(self, moment: datetime, pairs: Sequence[str]) -> SignalSnapshot:
        # The row of a bar that is still open must not hide the row of the last closed one.
        until = moment - self._timeframe.delta + self._clock_skew
        return self._reader.newest(self._strategy_id, self._timeframe, pairs, until=until)

    def newest(self, pair: str) -> PublishedSignal | None:
        """Return the pair's newest signal as last heard; None if there was none."""
        return self._answer.signals.get(pair) if self._answer else None

    def heard(self, pairs: Sequence[str]) -> list[PublishedSignal]:
        """Return the newest signals of those pairs whose newest row can be read."""
        spoilt = self.unreadable
        return [signal for pair in pairs if pair not in spoilt and (signal := self.newest(pair))]

    @property
    def unreadable(self) -> frozenset[str]:
        """Pairs whose newest row on the bus is no signal."""
        return self._answer.unreadable if self._answer else frozenset()

    def now(self) -> datetime:
        """Return the database's clock: its last known time plus what has passed here since."""
        if self._answer is None:
            return self._clock.now()
        return self._answer.server_time + (self._clock.now() - self._answer.received_at)

    @property
    def answer_age(self) -> timedelta | None:
        """How long ago the bus answered last; None if it never did."""
        return self._clock.now() - self._answer.received_at if self._answer else None

    @property
    def may_enter(self) -> bool:
        """Whether the bus answered when it was last asked, and not too long ago to enter upon."""
        age = self.answer_age
        return self._failed_since is None and age is not None and age <= self._max_answer_age

    def _note_failure(self, error: QuantbusError) -> None:
        if self._failed_since is None:  # once per outage, or a long one fills the log
            self._failed_since = self._clock.now()
            logger.warning("the bus does not answer: no entries until it does; known exits go on. %s", error)

    def _note_unreadable(self, pairs: frozenset[str]) -> None:
        if pairs and pairs != self.unreadable:
            logger.error(
                "the newest rows of these pairs are no signals, so none of them is entered: %s",
                ", ".join(sorted(pairs)),
            )

    def _note_answer(self, answer: _Answer) -> None:
        if self._failed_since is not None:
            silence = (answer.received_at - self._failed_since).total_seconds()
            logger.info("the bus answers again after %.1f s", silence)
            self._failed_since = None
        age = self.answer_age
        if age is None or age > self._max_answer_age:
            self.looking_since = answer.server_time
        self._answer = answer
