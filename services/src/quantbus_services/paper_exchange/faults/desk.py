"""Which faults are switched on, and what they have done: the one place of the room that changes."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.faults.bans import QuietTimes
from quantbus_services.paper_exchange.faults.catalogue import CATALOGUE, spec_named
from quantbus_services.paper_exchange.faults.clock import MovableClock, Tilt
from quantbus_services.paper_exchange.faults.exchange import Asked
from quantbus_services.paper_exchange.faults.market_list import market_event
from quantbus_services.paper_exchange.faults.rules import Rule
from quantbus_services.paper_exchange.faults.spec import Behave, FaultSpec, Occasion, rule_of, values_of
from quantbus_services.paper_exchange.listings.events import MarketEvent

__all__ = ["FaultDesk"]

_CROSSING_MS = 250
"""For how long, of the client's time, requests may be on their way."""


@dataclass(slots=True)
class _Active:
    spec: FaultSpec
    rule: Rule
    set_ms: int
    fitting: int = 0
    taken: int = 0


class FaultDesk:
    """Takes rules, and tells for each request which faults it meets."""

    def __init__(self, clock: MovableClock, on_event: Callable[[MarketEvent], None] | None = None) -> None:
        """Measure windows and bans by the exchange's ``clock``, jumps of our own apart.

        ``on_event`` takes what faults of the market list make happen; without it there are none.
        """
        self._tilt = Tilt(clock)
        self._on_event = on_event
        self._active: dict[str, _Active] = {}
        self.injected: Counter[str] = Counter()
        self.quiet = QuietTimes(crossing_ms=_CROSSING_MS * clock.speed)

    @property
    def is_busy(self) -> bool:
        """Tell whether any fault is switched on."""
        return bool(self._active)

    def now_ms(self) -> int:
        """Return the exchange's time in Unix milliseconds, without any jump."""
        return self._tilt.now_ms()

    def set(self, name: str, values: Mapping[str, object]) -> Rule:
        """Switch a fault on, in place of an earlier rule for it; its draws and windows begin anew.

        Raises
        ------
        ConfigError
            If there is no such fault, or it cannot be given these values.
        """
        spec = spec_named(name)
        rule = rule_of(spec, values)
        if spec.event is not None:
            if self._on_event is None:
                raise ConfigError(
                    f"expected an exchange whose market list can change, found none; leave {name} out"
                )
            self._on_event(market_event(spec.event, spec, rule, self.now_ms()))
            self.injected[name] += 1
        self._active[name] = _Active(spec, rule, self.now_ms())
        self.settle()
        return rule

    def clear(self, name: str | None = None) -> None:
        """Switch one fault off, or all; a ban or pause that one of them began ends with it.

        Raises
        ------
        ConfigError
            If there is no such fault.
        """
        names = list(self._active) if name is None else [spec_named(name).name]
        for item in names:
            self._active.pop(item, None)
        if name in (None, "banned", "rate_limited"):
            self.quiet.lift()
        self.settle()

    def meets(self, asked: Asked) -> list[tuple[Behave, Occasion]]:
        """Return the faults around a request, outermost first."""
        now_ms = self.now_ms()
        return [
            (spec.behave, occasion)
            for spec in CATALOGUE
            if spec.behave is not None and (occasion := self._take(spec, asked, now_ms)) is not None
        ]

    def take(self, name: str, asked: Asked) -> Occasion | None:
        """Return one fault that acts elsewhere than around the request, if the request meets it."""
        return self._take(spec_named(name), asked, self.now_ms())

    def settle(self) -> datetime:
        """Let the exchange's clock be where the faults want it; return the time it shows."""
        active = self._active.get("clock_jump")
        seconds = 0.0
        if active is not None and active.rule.is_on((self.now_ms() - active.set_ms) / 1000):
            seconds = active.spec.valued(active.rule)["seconds"]
        if self._tilt.to(timedelta(seconds=seconds)) and seconds:
            self.injected["clock_jump"] += 1
        return self._tilt.date()

    def _take(self, spec: FaultSpec, asked: Asked, now_ms: int) -> Occasion | None:
        active = self._active.get(spec.name)
        if active is None or not active.rule.concerns(asked, spec.paths):
            return None
        rule = active.rule
        if not rule.is_on((now_ms - active.set_ms) / 1000):
            return None
        number, active.fitting = active.fitting, active.fitting + 1
        if rule.times is not None and active.taken >= rule.times:
            return None
        if number < rule.skip if spec.by_item else not rule.takes_request(number):
            return None
        active.taken += 1
        return Occasion(asked, rule, spec.valued(rule), now_ms, active.set_ms)

    def told(self) -> dict[str, Any]:
        """Return what is switched on and what was counted, as JSON-able values."""
        return {
            "active": {name: item.rule.told() for name, item in self._active.items()},
            "injected": dict(self.injected),
            "quiet": self.quiet.counts(),
        }

    def set_all(self, lines: Iterable[str]) -> None:
        """Switch on every fault of lines such as ``rate_limited share=0.05 retry_after=2``.

        Raises
        ------
        ConfigError
            If a line is not of that form.
        """
        for line in lines:
            name, *settings = line.replace(",", " ").split() or [""]
            self.set(name, values_of(settings))
