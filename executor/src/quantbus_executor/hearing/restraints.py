"""Controls and risk rows as this bot last heard of them: asked for once a loop, kept with their age.

What is known to restrain goes on doing so when the bus falls silent, until it expires. Whether entries go on when
nothing was heard for too long is a setting; exits never depend on it.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.policy import NO_RISK, RiskView, risk_view, strictest_control
from quantbus_contracts.ports import RestraintReader, RestraintSnapshot
from quantbus_contracts.schema import Control

__all__ = ["RestraintSettings", "Restraints"]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RestraintSettings:
    """Which restraints a bot obeys, and what it does when it cannot read them.

    Attributes
    ----------
    controls, risk_state
        Whether the rows of these collections count.
    fail_open
        Whether entries go on once the last answer is older than ``max_age``.
    """

    controls: bool = True
    risk_state: bool = True
    fail_open: bool = False
    max_age: timedelta = timedelta(seconds=30)


class Restraints:
    """Knows what restrains a pair of one strategy at one consumer."""

    def __init__(
        self,
        reader: RestraintReader,
        clock: Clock,
        *,
        strategy_id: str,
        consumer_id: str,
        settings: RestraintSettings,
    ) -> None:
        """Read through ``reader``; each question is bounded by the reader's own time-out."""
        self._reader = reader
        self._clock = clock
        self._strategy_id = strategy_id
        self._consumer_id = consumer_id
        self._settings = settings
        self._answer: RestraintSnapshot | None = None
        self._received_at: datetime | None = None
        self._asked_at: datetime | None = None
        self._failing = False
        self.unreadable: tuple[str, ...] = ()
        """Keys of rows in force that cannot be read."""

    def refresh(self) -> None:
        """Ask the bus, where anything is obeyed; without an answer the last one stands."""
        if not self._asks:
            return
        self._asked_at = self._clock.now()
        try:
            answer = self._reader.in_force(self._strategy_id)
        except QuantbusError as error:
            if not self._failing:  # once per outage, or a long one fills the log
                logger.warning("controls and risk cannot be read; the last known ones stand. %s", error)
            self._failing = True
            return
        if self._failing:
            logger.info("controls and risk can be read again")
        self._failing = False
        self._answer, self._received_at = answer, self._clock.now()
        if answer.unreadable and answer.unreadable != self.unreadable:
            logger.error(
                "rows of controls or risk_state that cannot be read (%s): %s",
                "entries go on"
                if self._settings.fail_open
                else "no entries until they are mended or removed",
                ", ".join(answer.unreadable),
            )
        self.unreadable = answer.unreadable

    def control(self, pair: str) -> Control | None:
        """Return the control to obey for a pair; None if there is none."""
        if self._answer is None or not self._settings.controls:
            return None
        return strictest_control(
            self._answer.controls,
            self._now(self._answer),
            strategy_id=self._strategy_id,
            pair=pair,
            consumer_id=self._consumer_id,
        )

    def risk(self, pair: str) -> RiskView:
        """Return what the risk rows amount to for a pair."""
        if self._answer is None or not self._settings.risk_state:
            return NO_RISK
        return risk_view(
            self._answer.states, self._now(self._answer), strategy_id=self._strategy_id, pair=pair
        )

    @property
    def known(self) -> bool:
        """Whether what is known suffices to enter: a row that cannot be read may be any order."""
        if not self._asks or self._settings.fail_open:
            return True
        return self.age is not None and self.age <= self._settings.max_age and not self.unreadable

    @property
    def is_overdue(self) -> bool:
        """Whether it is so long since they were asked for that they get the first turn, even if the others get none.

        Answered or not: a question that fails time after time must not keep the signals from being heard.
        """
        if self._asked_at is None:
            return self._asks
        return self._asks and self._clock.now() - self._asked_at > self._settings.max_age / 2

    @property
    def age(self) -> timedelta | None:
        """How long ago the bus answered last; None if it never did."""
        return self._clock.now() - self._received_at if self._received_at is not None else None

    @property
    def _asks(self) -> bool:
        return self._settings.controls or self._settings.risk_state

    def _now(self, answer: RestraintSnapshot) -> datetime:
        return answer.now + (self.age or timedelta(0))
