"""What both bots are told at the same moments, bar by bar, and how long each took to order."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

from executor_parts.bots import STRATEGY, Bot, Ground
from quantbus_contracts import SignalBus
from quantbus_contracts.schema import Signal
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

Kind = Literal["close to entry", "publish to entry", "publish to exit"]
KINDS: tuple[Kind, ...] = ("close to entry", "publish to entry", "publish to exit")
ONE_MINUTE = Timeframe.parse("1m")
IN_TIME = 0.1
"""Seconds after a bar's close at which a signal in time is published."""
ENTRIES_FROM, EXITS_FROM, EXITS_UNTIL = 8.0, 26.0, 47.0
"""Seconds of a bar between which the others are spread; what follows is for slow loops to catch up."""
_LONGEST = 60.0


@dataclass(frozen=True)
class Told:
    """One thing that both bots were told: from when each could act upon it, in seconds since the epoch."""

    kind: Kind
    pair: str
    side: Literal["buy", "sell"]
    ours: float
    alone: float


@dataclass
class Delays:
    """Seconds from being told to the order, of each bot; what was never ordered is counted."""

    ours: dict[Kind, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    alone: dict[Kind, list[float]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    missing: int = 0


class Teller:
    """Tells ours through the bus and the other through files."""

    def __init__(self, ground: Ground) -> None:
        self._ground = ground
        self._bus = SignalBus(ground.connection, publisher="bench")
        self.told: list[Told] = []

    def enter(self, pair: str, since: float | None = None) -> None:
        """Ask for an entry; ``since`` when the bar closed, where that is what counts."""
        kind: Kind = "publish to entry" if since is None else "close to entry"
        self._tell(kind, pair, "buy", since)

    def leave(self, pair: str) -> None:
        """Ask for an exit."""
        self._tell("publish to exit", pair, "sell", None)

    def _tell(self, kind: Kind, pair: str, side: Literal["buy", "sell"], since: float | None) -> None:
        action = "enter_long" if side == "buy" else "exit_long"
        signal = Signal(
            strategy_id=STRATEGY,
            symbol=Instrument.from_pair("BINANCE", pair).symbol,
            pair=pair,
            timeframe="1m",
            ts=ONE_MINUTE.last_closed(datetime.now(UTC)),
            action=action,
        )
        ours = time.time()
        report = self._bus.publish([signal])
        assert report.ok, report.as_dict()
        alone = time.time()
        name = pair.replace("/", "_")
        (self._ground.flags / f"{name}.{'exit' if side == 'buy' else 'enter'}").unlink(missing_ok=True)
        (self._ground.flags / f"{name}.{'enter' if side == 'buy' else 'exit'}").touch()
        self.told.append(Told(kind, pair, side, since or ours, since or alone))


def tell_bars(ground: Ground, count: int, *, seed: int, tick: Callable[[str], None]) -> list[Told]:
    """Tell both bots the same for so many bars, from the next close on; return what they were told."""
    teller, chance = Teller(ground), random.Random(seed)  # noqa: S311
    few = max(1, len(ground.pairs) // 4)  # they are ordered one after the other: many would measure a queue
    in_time, others = ground.pairs[:few], ground.pairs[few:]
    for bar in range(count):
        close = (time.time() // 60 + 1) * 60
        tick(f"waiting for the close of a bar ({bar + 1} of {count})")
        _sleep_until(close + IN_TIME)
        tick(f"bar {bar + 1} of {count}")
        for pair in in_time:
            teller.enter(pair, since=close)
        for pair, moment in _spread(others, close, ENTRIES_FROM, EXITS_FROM, chance):
            _sleep_until(moment)
            teller.enter(pair)
        for pair, moment in _spread(ground.pairs, close, EXITS_FROM + 2, EXITS_UNTIL, chance):
            _sleep_until(moment)
            teller.leave(pair)
        _sleep_until(close + EXITS_UNTIL + 6)
    return teller.told


def delays_of(ground: Ground, told: list[Told]) -> Delays:
    """Return how long each bot took from being told to its order."""
    found = Delays()
    for bot, into, since in (
        (ground.ours, found.ours, lambda item: item.ours),
        (ground.alone, found.alone, lambda item: item.alone),
    ):
        for item in told:
            delay = _delay(bot, item, since(item))
            if delay is None:
                found.missing += 1
            else:
                into[item.kind].append(delay)
    return found


def _delay(bot: Bot, item: Told, since: float) -> float | None:
    times = [
        at
        for pair, side, at in bot.orders()
        if (pair, side) == (item.pair, item.side) and since <= at < since + _LONGEST
    ]
    return times[0] - since if times else None


def _spread(
    pairs: tuple[str, ...], close: float, begin: float, end: float, chance: random.Random
) -> list[tuple[str, float]]:
    """Return the pairs, each with a moment by chance, in the order of time."""
    moments = sorted(close + chance.uniform(begin, end) for _ in pairs)
    return list(zip(pairs, moments, strict=True))


def _sleep_until(moment: float) -> None:
    time.sleep(max(0.0, moment - time.time()))
