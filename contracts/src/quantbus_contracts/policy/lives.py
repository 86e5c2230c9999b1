"""The whole life of one signal, and why it was or was not traded: judged from what the bus knows of it."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Self

from quantbus_contracts.policy.interval import Interval, entry_interval, is_future_stamped
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.sentences import sentence_of
from quantbus_contracts.policy.side import PositionSide
from quantbus_contracts.policy.wish import wish_of
from quantbus_contracts.schema import (
    FINAL_STATES,
    Control,
    Execution,
    ExecutionState,
    Fill,
    Heartbeat,
    PublishedSignal,
    RiskState,
)

__all__ = ["Hop", "Life", "hops_of", "remedies_for", "verdict_on"]

_ALIVE = timedelta(minutes=1)
_TRADED = {ExecutionState.FILLED, ExecutionState.ORDERED}


@dataclass(frozen=True, slots=True)
class Life:
    """One signal with everything that the bus knows about it; ``now`` is the database's clock."""

    now: datetime
    published: PublishedSignal
    executions: Sequence[Execution] = ()
    newer: PublishedSignal | None = None
    """The next signal of the same strategy, pair and timeframe, if there is one."""
    controls: Sequence[Control] = ()
    """Those that counted while it could be entered, or do now, and concern the strategy, the pair or a consumer."""
    risks: Sequence[RiskState] = ()
    """Likewise."""
    fills: Sequence[Fill] = ()
    """What its orders brought."""
    bots: Sequence[Heartbeat] = ()
    ingested_at: datetime | None = None
    """When the bar that it was computed from was written; None where the bus does not have it."""

    def confined(self) -> Self:
        """Return the life with those of its controls, risk rows and bots that concern the signal."""
        bots = [beat for beat in self.bots if beat.process == "executor"]
        consumers = {item.consumer_id for item in self.executions} | {beat.instance for beat in bots}
        signal, window = self.published.signal, self.window
        return replace(
            self,
            bots=bots,
            controls=[
                control
                for control in self.controls
                if _counted(control, window, self.now)
                and any(
                    control.concerns(strategy_id=signal.strategy_id, pair=signal.pair, consumer_id=consumer)
                    for consumer in (None, *consumers)
                )
            ],
            risks=[
                state
                for state in self.risks
                if _counted(state, window, self.now) and state.concerns(signal.strategy_id, signal.pair)
            ],
        )

    @property
    def window(self) -> Interval:
        """When it could be entered, by the rules that consumers have unless they are told others."""
        return entry_interval(self.published, _rules_for(self.published))


@dataclass(frozen=True, slots=True)
class Hop:
    """One step on the way from the bar's close to the fill; None where it did not happen or was not told."""

    name: str
    at: datetime | None
    after: timedelta | None
    """The time since the step before that is known."""


def _counted(row: Control | RiskState, window: Interval, now: datetime) -> bool:
    """Tell whether a control or risk row counted while the signal could be entered, or does now."""
    then = row.at < window.end and row.is_active(window.start)
    return then or row.is_active(now)


def hops_of(
    published: PublishedSignal, execution: Execution | None = None, *, ingested_at: datetime | None = None
) -> list[Hop]:
    """Return the way from the bar's close to the fill at one consumer.

    ``available`` is the first revision's, unless the consumer says which one it acted upon.
    """
    available = execution.available_at if execution else published.first_available_at
    moments = [
        ("bar close", published.signal.closes_at),
        ("ingested", ingested_at),
        ("computed", published.signal.computed_at),
        ("available", available),
        ("seen", execution.seen_at if execution else None),
        ("ordered", execution.ordered_at if execution else None),
        ("filled", execution.filled_at if execution else None),
    ]
    hops: list[Hop] = []
    before: datetime | None = None
    for name, at in moments:
        hops.append(Hop(name, at, at - before if at is not None and before is not None else None))
        before = at or before
    return hops


def verdict_on(life: Life) -> list[str]:
    """Return in sentences why the signal was or was not traded, the most telling first."""
    if life.executions:
        return [_in_short(life), *(_by_consumer(item) + _silence(life, item) for item in life.executions)]
    return ["No consumer wrote that it saw it.", *_what_stood_in_the_way(life), *_who_was_there(life)]


def remedies_for(life: Life) -> dict[str, str]:
    """Return what can be done about the reasons in the ledger, by reason; nothing where nothing is wrong."""
    words = {item.reason for item in life.executions if item.state not in _TRADED}
    return {reason.value: reason.remedy for reason in Reason if reason.value in words and reason.remedy}


def _in_short(life: Life) -> str:
    states = {execution.state for execution in life.executions}
    if states & _TRADED:
        return "It was traded."
    if ExecutionState.UNKNOWN in states:
        return "Whether it was traded is not known."
    if states <= FINAL_STATES:
        return "It was not traded."
    if life.now < life.window.end:
        return f"It has not been traded yet; by default it may be entered until {_clock(life.window.end)}."
    return "It has not been traded."


def _by_consumer(execution: Execution) -> str:
    return f"{execution.consumer_id}: {sentence_of(execution)}"


def _silence(life: Life, execution: Execution) -> str:
    """Say that a bot which has not come to an end with the signal is silent."""
    beat = next((beat for beat in life.bots if beat.instance == execution.consumer_id), None)
    if beat is None or execution.state in FINAL_STATES or life.now - beat.at <= _ALIVE:
        return ""
    return f" The bot is silent since {_clock(beat.at)}."


def _rules_for(published: PublishedSignal) -> TradingRules:
    return TradingRules(can_short=":" in published.signal.pair)


def _what_stood_in_the_way(life: Life) -> list[str]:
    """Judge a signal that nobody saw by the rules that consumers have unless they are told others."""
    published, rules = life.published, _rules_for(life.published)
    if published.signal.origin != "live":
        reason = Reason.ORIGIN_BACKFILL if published.signal.origin == "backfill" else Reason.ORIGIN_REPLAY
        return [f"It would not trade: {reason.meaning}."]
    if is_future_stamped(published, rules):
        return [f"It would not trade: {Reason.FUTURE_STAMPED.meaning}."]
    wish = wish_of(published.signal, rules)
    if wish.take is None:
        return [_of_an_exit(wish.leave if rules.can_short else wish.leave - {"short"})]
    if wish.take == "short" and not rules.can_short:
        return [f"It would not trade: {Reason.SPOT_SHORT.meaning}."]
    return _of_an_entry(life, rules)


def _of_an_exit(leaves: frozenset[PositionSide]) -> str:
    if not leaves:
        return "It asks for nothing: no entry at the thresholds that consumers have by default, and no exit."
    sides = " or ".join(sorted(leaves))
    return f"It ends an open {sides} position, and does not expire; a consumer that holds none has nothing to do."


def _of_an_entry(life: Life, rules: TradingRules) -> list[str]:
    published = life.published
    interval = entry_interval(published, rules)
    bound = f"{_clock(interval.end)} ({interval.ended_by})"
    if interval.start >= interval.end:
        return [
            f"It came too late to be entered: available {_clock(published.available_at)}, "
            f"while the time to enter ended {bound}."
        ]
    if life.now < interval.start:
        return [f"It may be entered from {_clock(interval.start)}, when its bar closes."]
    told = []
    if life.newer is not None and life.newer.first_available_at < interval.end:
        told.append(
            f"A newer signal of the pair hides it since {_clock(life.newer.first_available_at)}: "
            f"{life.newer.signal_id}."
        )
    if life.now < interval.end:
        return [*told, f"It may still be entered until {bound}."]
    return [*told, f"The time to enter ended {bound}, by the rules that consumers have by default."]


def _who_was_there(life: Life) -> list[str]:
    if not life.bots:
        return ["No bot has ever given a sign of life on this bus."]
    alive = [beat.instance for beat in life.bots if life.now - beat.at <= _ALIVE]
    if alive:
        return [f"Bots alive now: {', '.join(alive)}; does one of them follow this strategy?"]
    last = max(life.bots, key=lambda beat: beat.at)
    return [f"No bot is alive now; the last sign of life was {last.instance}'s, {_clock(last.at)}."]


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
