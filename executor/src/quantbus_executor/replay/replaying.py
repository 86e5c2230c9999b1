"""One replay: the runs in their order, the check that none knew too much, and the comparisons."""

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise

from quantbus_contracts.clock import Clock
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.schema import Strategy
from quantbus_executor.backtest.causality import leaks
from quantbus_executor.replay.backtested import backtest
from quantbus_executor.replay.differences import compare
from quantbus_executor.replay.dry_run import DryRunPlace, dry_run
from quantbus_executor.replay.loading import config_of, declared_strategy, load_plan
from quantbus_executor.replay.outcome import Outcome
from quantbus_executor.replay.plan import ReplayPlan
from quantbus_executor.replay.report import Comparison, ReplayReport
from quantbus_executor.replay.simulated_bot import simulate
from quantbus_executor.replay.venue import paper_venue

__all__ = ["ReplayWish", "replay"]

_LATE = timedelta(seconds=10)
"""How much longer than its throttle a loop of the real bot may take on a busy machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayWish:
    """What a person asks for.

    Attributes
    ----------
    speed
        How many times faster than time the simulated loop goes; 1 lets the real bot live through it too; None goes
        as fast as it can, without the real bot.
    """

    strategy_id: str
    start: datetime
    end: datetime
    base: dict[str, object]
    pairs: tuple[str, ...] = ()
    speed: float | None = None
    fee: float = 0.001


def replay(
    wish: ReplayWish, place: DryRunPlace, clock: Clock, *, tell: Callable[[str], None] = lambda text: None
) -> ReplayReport:
    """Replay a strategy's past; its files are in the place's folder."""
    with closing(connect(place.mongo, app="replay", timeout_seconds=30.0)) as connection:
        strategy = declared_strategy(connection, wish.strategy_id)
        plan = load_plan(
            connection, config_of(wish.base, strategy, wish.pairs), strategy, wish.start, wish.end
        )
    tell(f"{sum(map(len, plan.signals.values()))} signals of {', '.join(plan.pairs)}")
    outcomes = [_backtest(plan, place, clock, wish.fee)]
    tell("backtest: done")
    throttle = _throttle(plan)
    pace = _Pace(wish.speed, clock, plan.start) if wish.speed is not None and wish.speed != 1 else None
    outcomes.append(simulate(plan, every=throttle, fee=wish.fee, at_moment=pace or (lambda moment: None)))
    tell("simulated loop: done")
    if wish.speed == 1:
        outcomes.append(_dry_run(plan, place, strategy, clock, wish.fee, tell))
        tell("dry run: done")
    return _report(plan, outcomes, throttle + _LATE)


def _backtest(plan: ReplayPlan, place: DryRunPlace, clock: Clock, fee: float) -> Outcome:
    folder = place.folder / "backtest"
    with paper_venue(plan, folder, place.environment, shift=timedelta(0), now=clock.now()) as url:
        return backtest(plan, folder, place.environment, venue_url=url, userdir=place.userdir, fee=fee)


def _dry_run(
    plan: ReplayPlan,
    place: DryRunPlace,
    strategy: Strategy,
    clock: Clock,
    fee: float,
    tell: Callable[[str], None],
) -> Outcome:
    inside = DryRunPlace(place.folder / "dry_run", place.userdir, place.mongo, place.environment)
    return dry_run(plan, inside, strategy, clock, fee=fee, tell=tell)


def _report(plan: ReplayPlan, outcomes: list[Outcome], loop: timedelta) -> ReplayReport:
    signals = {published.signal_id: published for published in plan.every_signal}
    rules = plan.settings.rules
    found = [
        f"{outcome.name}: {leak}"
        for outcome in outcomes
        for leak in leaks(outcome.trades, signals, rules=rules, clock_skew=rules.clock_skew)
    ]
    comparisons = [
        Comparison(left.name, right.name, compare(plan, left, right, loop=loop))
        for left, right in pairwise(outcomes)
    ]
    return ReplayReport(outcomes, comparisons, found)


def _throttle(plan: ReplayPlan) -> timedelta:
    seconds = plan.config.get("internals", {}).get("process_throttle_secs", 5)
    return min(timedelta(seconds=float(seconds)), plan.timeframe.delta)


class _Pace:
    """Holds the simulated loop back to a speed."""

    def __init__(self, speed: float, clock: Clock, start: datetime) -> None:
        self._speed = speed
        self._clock = clock
        self._began = clock.now()
        self._start = start

    def __call__(self, moment: datetime) -> None:
        due = self._began + (moment - self._start) / self._speed
        left = (due - self._clock.now()).total_seconds()
        if left > 0:
            time.sleep(left)
