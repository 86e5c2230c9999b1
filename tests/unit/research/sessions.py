"""A session on stores in memory, and a clock that moves when the worker waits."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from quantbus_contracts.schema import Candle, Gap, PublishReport, PublishRun, Signal, Strategy
from quantbus_contracts.testing import FakeCandleStore, FakeSignalStore, FakeStrategyStore, FrozenClock
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.registry import ModelRegistry
from quantbus_research.settings import Recipe
from quantbus_research.workflows import Session
from tests.unit.research.panels import MINUTE, START, make_panel
from tests.unit.research.recipes import make_recipe

COLUMNS = ["open", "high", "low", "close", "volume"]


def candles_of(panel: pd.DataFrame, timeframe: Timeframe = MINUTE) -> list[Candle]:
    """Return the panel's bars as candles."""
    return [
        Candle.model_validate(
            {"symbol": symbol, "timeframe": timeframe.name, "open_time": opened, "source": "test", **row}
        )
        for (symbol, opened), row in zip(panel.index, panel[COLUMNS].to_dict("records"), strict=True)
    ]


@dataclass
class FakeSink:
    """Publishes into the signal store and the strategy store."""

    signals: FakeSignalStore
    strategies: FakeStrategyStore = field(default_factory=FakeStrategyStore)

    def publish(self, rows: Sequence[Signal]) -> PublishReport:
        return self.signals.publish(rows)

    def declare(self, strategy: Strategy, *, first_only: bool = False) -> None:
        if not first_only or self.strategies.get(strategy.strategy_id) is None:
            self.strategies.declare(strategy)

    def record_run(self, run: PublishRun) -> None:
        self.signals.record_run(run)


@dataclass
class FakeGaps:
    """What is known about gaps, in memory."""

    known: list[Gap] = field(default_factory=list)

    def find(
        self,
        symbol: str,
        timeframe: Timeframe,
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> list[Gap]:
        return [gap for gap in self.known if (gap.symbol, gap.timeframe) == (symbol, timeframe.name)]


@dataclass
class World:
    """The surroundings of a session, all of them in the test's hands."""

    session: Session
    clock: FrozenClock
    candles: FakeCandleStore
    signals: FakeSignalStore
    sink: FakeSink
    gaps: FakeGaps
    panel: pd.DataFrame
    coming: dict[datetime, list[Candle]]
    """Bars that are not stored yet, by open time."""
    on_pause: list[Callable[[datetime], None]] = field(default_factory=list)
    stopped: bool = False

    def pause(self, seconds: float) -> bool:
        """Let time pass (at least a little), then what else happens meanwhile; tell whether to stop."""
        if seconds:
            self.clock.advance(timedelta(seconds=max(seconds, 0.01)))
        for happen in self.on_pause:
            happen(self.clock.now())
        return self.stopped

    def feed(self, now: datetime, *, after: float = 0.5, without: str = "") -> None:
        """Bring in the bars of the last minutes that have closed ``after`` seconds ago."""
        newest = MINUTE.last_closed(now - timedelta(seconds=after))
        for opened in MINUTE.range(newest - 4 * MINUTE.delta, newest + MINUTE.delta):
            fresh = self.coming.pop(opened, [])
            self.candles.write([candle for candle in fresh if candle.symbol != without])

    def said(self, pair: str = "BTC/USDT") -> dict[int, tuple[str | None, str]]:
        """Return action and origin of each published signal, by the number of its bar."""
        rows = self.signals.range("demo", MINUTE, pair, START, START + timedelta(days=9))
        return {
            int((row.signal.ts - START) / MINUTE.delta): (row.signal.action, row.signal.origin)
            for row in rows
        }

    def runs(self) -> dict[int, PublishRun]:
        """Return each recorded evaluation by the number of its bar."""
        rows = self.signals.runs("demo", MINUTE, START, START + timedelta(days=9))
        return {int((run.ts - START) / MINUTE.delta): run for run in rows}


def make_world(home: Path, *, bars: int, recipe: Recipe | None = None, total: int = 400) -> World:
    """Return a world in which ``bars`` bars are stored and the last of them has just closed."""
    panel = make_panel(total)
    now = START + bars * MINUTE.delta
    store = FakeCandleStore()
    coming: dict[datetime, list[Candle]] = {}
    for candle in candles_of(panel):
        coming.setdefault(candle.open_time, []).append(candle)
    for opened in MINUTE.range(START, now):
        store.write(coming.pop(opened))
    clock = FrozenClock(now)
    signals = FakeSignalStore(clock=clock)
    sink = FakeSink(signals)
    gaps = FakeGaps()

    def frames(symbols: Sequence[str], timeframe: Timeframe, start: datetime, end: datetime) -> pd.DataFrame:
        store.last_open_time(symbols[0], timeframe)  # fails where the store is down
        times = world.panel.index.get_level_values(1)
        asked = world.panel.index.get_level_values(0).isin(list(symbols))
        inside = world.panel[asked & (times >= start) & (times < end)]
        return inside[[(symbol, timeframe.name, opened) in store.bars for symbol, opened in inside.index]]

    session = Session(
        recipe=recipe or make_recipe(),
        frames=frames,
        candles=store,
        gaps=gaps,
        history=signals,
        sink=sink,
        registry=ModelRegistry(home / "models"),
        snapshots=home / "snapshots",
        clock=clock,
    )
    world = World(session, clock, store, signals, sink, gaps, panel, coming)
    return world
