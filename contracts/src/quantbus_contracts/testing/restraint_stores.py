"""Risk rows in memory, and what is in force of controls and risk rows, with the behaviour of the real stores."""

from dataclasses import dataclass, field

from quantbus_contracts.clock import Clock, truncate_to_milliseconds
from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.ports import RestraintSnapshot, RiskSnapshot
from quantbus_contracts.schema import RiskState
from quantbus_contracts.testing.clock import FrozenClock
from quantbus_contracts.testing.control_store import FakeControlStore

__all__ = ["FakeRestraintReader", "FakeRiskStateStore"]


@dataclass
class FakeRiskStateStore:
    """Risk rows in memory. ``clock`` plays the server's; set ``down`` to make every method raise."""

    clock: Clock = field(default_factory=FrozenClock)
    down: bool = False
    states: dict[tuple[str, str], RiskState] = field(default_factory=dict)

    def put(self, state: RiskState) -> None:
        """Store or replace what is said about a strategy and pair."""
        self._check()
        self.states[state.key] = state

    def clear(self, strategy_id: str, pair: str, *, by: str) -> bool:
        """Let a row end now; tell whether one was in force."""
        self._check()
        found = self.states.get((strategy_id, pair))
        now = truncate_to_milliseconds(self.clock.now())
        if found is None or not found.is_active(now):
            return False
        ended = {"expires_at": max(now, found.at), "cleared_by": by}
        self.states[found.key] = found.model_copy(update=ended)
        return True

    def snapshot(self) -> RiskSnapshot:
        """Return every row, with the clock."""
        self._check()
        ordered = tuple(self.states[key] for key in sorted(self.states))
        return RiskSnapshot(truncate_to_milliseconds(self.clock.now()), ordered)

    def _check(self) -> None:
        if self.down:
            raise BusUnavailable("the bus is down (fake)")


@dataclass
class FakeRestraintReader:
    """What is in force in two fakes; either of them being down makes it raise."""

    control_store: FakeControlStore
    risk_store: FakeRiskStateStore

    def in_force(self, strategy_id: str) -> RestraintSnapshot:
        """Return the controls in force, of any scope, and the strategy's risk rows in force."""
        controls, risk = self.control_store.snapshot(), self.risk_store.snapshot()
        return RestraintSnapshot(
            risk.now,
            tuple(control for control in controls.controls if control.is_active(risk.now)),
            tuple(
                state
                for state in risk.states
                if state.strategy_id == strategy_id and state.is_active(risk.now)
            ),
        )
