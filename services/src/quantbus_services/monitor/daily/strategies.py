"""What each strategy said that day and what became of it; pure."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from quantbus_contracts import Execution, Strategy, Timeframe
from quantbus_contracts.mongo.day_book import Evaluated, SaidSignal
from quantbus_contracts.policy import Reason
from quantbus_contracts.schema import ExecutionState, Fill
from quantbus_services.monitor.daily.facts import DayFacts
from quantbus_services.monitor.daily.hops import hops_of_day, spread_of
from quantbus_services.monitor.daily.money import held_by, profits_of
from quantbus_services.monitor.daily.report import Held, Outcomes, Profit, Refusal, StrategyDay
from quantbus_services.monitor.daily.silence import bars_due, silent_bars, together
from quantbus_services.monitor.due import allowed_delay

__all__ = ["strategy_days"]

_FURTHEST = {
    ExecutionState.FILLED: "traded",
    ExecutionState.UNKNOWN: "unknown",
    ExecutionState.ORDERED: "ordered",
    ExecutionState.ACCEPTED: "ordered",
    ExecutionState.REJECTED: "rejected",
    ExecutionState.REFUSED: "refused",
    ExecutionState.SEEN: "waiting",
    ExecutionState.SUPERSEDED: "superseded",
    ExecutionState.EXPIRED_UNSEEN: "expired_unseen",
}
"""The furthest first."""
_RANK = {state: rank for rank, state in enumerate(_FURTHEST)}
_TOLD_WITH_REASON = (ExecutionState.REFUSED, ExecutionState.REJECTED, ExecutionState.EXPIRED_UNSEEN)


@dataclass(slots=True)
class _Own:
    """Everything of one strategy."""

    signals: list[SaidSignal] = field(default_factory=list)
    rows: list[Execution] = field(default_factory=list)
    runs: list[Evaluated] = field(default_factory=list)
    fills: list[Fill] = field(default_factory=list)
    profits: tuple[Profit, ...] = ()
    held: tuple[Held, ...] = ()


def strategy_days(facts: DayFacts) -> tuple[StrategyDay, ...]:
    """Return each strategy that is declared, or of which anything is known, by its name."""
    own: dict[str, _Own] = defaultdict(_Own)
    declared = {strategy.strategy_id: strategy for strategy in facts.strategies}
    for strategy_id in declared:
        own[strategy_id] = _Own()
    for signal in facts.signals:
        own[signal.strategy_id].signals.append(signal)
    for row in facts.ledger:
        own[row.strategy_id].rows.append(row)
    for run in facts.runs:
        own[run.strategy_id].runs.append(run)
    for fill in facts.fills:
        own[fill.strategy_id].fills.append(fill)
    for strategy_id, profits in profits_of(facts.fills, facts.fills_before).items():
        own[strategy_id].profits = profits
    for strategy_id, held in held_by(facts.holdings, facts.closes).items():
        own[strategy_id].held = held
    return tuple(_day(facts, name, declared.get(name), own[name]) for name in sorted(own))


def _day(facts: DayFacts, strategy_id: str, strategy: Strategy | None, own: _Own) -> StrategyDay:
    live = [signal for signal in own.signals if signal.origin == "live"]
    others = Counter(signal.origin for signal in own.signals if signal.origin != "live")
    seen = [row for row in own.rows if row.seen_at < facts.end]  # later ones say only that it was seen at all
    slipped = [row for row in seen if row.state is ExecutionState.FILLED]
    due, silent = _silence(facts, strategy, own.runs)
    hops = hops_of_day(live, seen, facts.arrivals)
    return StrategyDay(
        strategy_id=strategy_id,
        declared=strategy is not None,
        timeframe=strategy.timeframe if strategy else ", ".join(sorted({row.timeframe for row in own.rows})),
        published=len(live),
        late=sum(_is_late(signal, strategy) for signal in live),
        other_origins=dict(sorted(others.items())),
        outcomes=_outcomes(live, own.rows),
        refusals=_refusals(seen),
        bars_due=due,
        silent=together(strategy, silent) if strategy else (),
        bars_silent=len(silent),
        degraded=_degraded(facts, strategy, own.runs),
        hops=hops,
        slippage=spread_of(row.slippage for row in slipped if row.slippage is not None),
        fills_without_ref_price=sum(row.slippage is None for row in slipped),
        profits=own.profits,
        held=own.held,
        dry_run=_dry_run(facts, strategy_id, own.fills),
    )


def _silence(
    facts: DayFacts, strategy: Strategy | None, runs: Iterable[Evaluated]
) -> tuple[int | None, Sequence[datetime]]:
    if strategy is None or strategy.cadence_bars is None:
        return None, ()
    bars = bars_due(strategy, facts.start, facts.end, facts.now)
    return silent_bars(strategy, bars, (run.ts for run in runs), facts.declared_at.get(strategy.strategy_id))


def _degraded(facts: DayFacts, strategy: Strategy | None, runs: Iterable[Evaluated]) -> int:
    if strategy is None:
        return 0
    close_of = Timeframe.parse(strategy.timeframe).close_of
    return sum(run.degraded is not None and facts.start <= close_of(run.ts) < facts.end for run in runs)


def _is_late(signal: SaidSignal, strategy: Strategy | None) -> bool:
    taken: timedelta = signal.available_at - Timeframe.parse(signal.timeframe).close_of(signal.ts)
    return taken > allowed_delay(signal.timeframe, strategy)


def _outcomes(live: Sequence[SaidSignal], rows: Iterable[Execution]) -> Outcomes:
    furthest: dict[str, ExecutionState] = {}
    for row in rows:
        before = furthest.get(row.signal_id, row.state)
        furthest[row.signal_id] = min(before, row.state, key=_RANK.__getitem__)
    counted = Counter(
        _FURTHEST[furthest[signal.signal_id]] if signal.signal_id in furthest else "unseen" for signal in live
    )
    return Outcomes(**counted)


def _refusals(rows: Iterable[Execution]) -> tuple[Refusal, ...]:
    counted = Counter(row.reason for row in rows if row.state in _TOLD_WITH_REASON and row.reason is not None)
    return tuple(_refusal(reason, count) for reason, count in counted.most_common())


def _refusal(word: str, count: int) -> Refusal:
    try:
        reason = Reason(word)
    except ValueError:  # a word of another version
        return Refusal(reason=word, count=count, meaning="", remedy="")
    return Refusal(reason=word, count=count, meaning=reason.meaning, remedy=reason.remedy)


def _dry_run(facts: DayFacts, strategy_id: str, fills: Iterable[Fill]) -> bool | None:
    told = [fill.dry_run for fill in fills]
    told += [
        holding.dry_run
        for holding in facts.holdings
        if holding.strategy_id == strategy_id and holding.side != "flat"
    ]
    return all(told) if told else None
