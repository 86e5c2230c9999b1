"""Controls in memory, with the behaviour of the real store."""

from dataclasses import dataclass, field

from quantbus_contracts.clock import Clock, truncate_to_milliseconds
from quantbus_contracts.errors import BusUnavailable
from quantbus_contracts.ports import ControlSnapshot
from quantbus_contracts.schema import Control
from quantbus_contracts.testing.clock import FrozenClock

__all__ = ["FakeControlStore"]


@dataclass
class FakeControlStore:
    """Controls in memory. ``clock`` plays the server's; set ``down`` to make every method raise."""

    clock: Clock = field(default_factory=FrozenClock)
    down: bool = False
    controls: dict[tuple[str, str], Control] = field(default_factory=dict)

    def put(self, control: Control) -> None:
        """Store or replace what its source says about its scope."""
        self._check()
        self.controls[control.key] = control

    def lift(self, scope: str, source: str, *, by: str) -> bool:
        """Let the control of ``source`` on ``scope`` end now; tell whether one was in force."""
        self._check()
        found = self.controls.get((scope, source))
        now = truncate_to_milliseconds(self.clock.now())
        if found is None or not found.is_active(now):
            return False
        ended = {"expires_at": max(now, found.at), "lifted_by": by}
        self.controls[found.key] = found.model_copy(update=ended)
        return True

    def snapshot(self) -> ControlSnapshot:
        """Return every control, with the clock."""
        self._check()
        ordered = tuple(self.controls[key] for key in sorted(self.controls))
        return ControlSnapshot(truncate_to_milliseconds(self.clock.now()), ordered)

    def _check(self) -> None:
        if self.down:
            raise BusUnavailable("the bus is down (fake)")
