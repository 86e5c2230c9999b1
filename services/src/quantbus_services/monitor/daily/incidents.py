"""What was wrong that day, by data, checks and controls, and what is left to ask; pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Literal

from quantbus_contracts.schema import (
    BROKEN_GAPS,
    Control,
    ExecutionState,
    FindingEpisode,
    Gap,
    RecordedFinding,
)
from quantbus_services.monitor.daily.facts import DayFacts
from quantbus_services.monitor.daily.report import (
    ControlOfDay,
    DataIncident,
    FindingOfDay,
    Question,
    StrategyDay,
)
from quantbus_services.monitor.pages.words import count

__all__ = ["controls_of_day", "data_incidents", "findings_of_day", "questions_of"]

_STALE = "candle_stale"
_MOST_NAMED = 5


def data_incidents(facts: DayFacts) -> tuple[DataIncident, ...]:
    """Return gaps, corrections, contradictions and stale streams; what is still open first."""
    found = [_gap(gap) for gap in facts.gaps]
    found += [
        DataIncident(
            kind="revised",
            subject=f"{item.symbol} {item.timeframe}",
            told=f"{count(item.bars, 'bar')} corrected; a close changed by {item.most:.3%} at most",
            since=None,
            open=False,
        )
        for item in facts.revised
    ]
    found += [
        DataIncident(
            kind="disagreed",
            subject=f"{item.symbol} {item.timeframe}",
            told=f"two sources differed about {count(item.bars, 'bar')}; in a close by {item.most:.3%} at most",
            since=None,
            open=False,
        )
        for item in facts.disagreed
    ]
    found += [
        DataIncident(
            kind="stale",
            subject=item.subject,
            told=item.message,
            since=item.raised_at,
            open=item.resolved_at is None,
        )
        for item in findings_of_day(facts)
        if item.check == _STALE
    ]
    return tuple(sorted(found, key=lambda item: (not item.open, item.kind, item.subject)))


def _gap(gap: Gap) -> DataIncident:
    told = (
        f"{gap.bars} bars from {gap.start:%Y-%m-%d %H:%M}: {gap.state.value}, asked for {gap.attempts} times"
    )
    return DataIncident(
        kind="gap",
        subject=f"{gap.symbol} {gap.timeframe}",
        told=told,
        since=gap.first_seen,
        open=gap.state in BROKEN_GAPS,
    )


def findings_of_day(facts: DayFacts) -> tuple[FindingOfDay, ...]:
    """Return every time that a finding stood on that day, those that still stand first, then by time."""
    found = []
    for row in facts.findings:
        found += [_earlier(row, episode) for episode in row.past if episode.first_seen != row.first_seen]
        found.append(_newest(row, facts.now))
    that_day = [
        item
        for item in found
        if item.raised_at < facts.end and (item.resolved_at is None or item.resolved_at >= facts.start)
    ]
    return tuple(sorted(that_day, key=lambda item: (item.resolved_at is not None, item.raised_at)))


def _newest(row: RecordedFinding, now: datetime) -> FindingOfDay:
    counts = row.is_acknowledged(now)
    return FindingOfDay(
        finding_id=row.finding_id,
        check=row.check,
        severity=row.severity,
        subject=row.subject,
        message=row.message,
        action=row.action,
        raised_at=row.first_seen,
        resolved_at=row.resolved_at,
        acknowledged_by=row.acknowledged_by if counts else None,
        acknowledged_reason=row.acknowledged_reason if counts else None,
    )


def _earlier(row: RecordedFinding, episode: FindingEpisode) -> FindingOfDay:
    return FindingOfDay(
        finding_id=row.finding_id,
        check=row.check,
        severity=row.severity,
        subject=row.subject,
        message=episode.message,
        action=row.action,
        raised_at=episode.first_seen,
        resolved_at=episode.resolved_at,
        acknowledged_by=episode.acknowledged_by,
        acknowledged_reason=episode.acknowledged_reason,
    )


def controls_of_day(facts: DayFacts) -> tuple[ControlOfDay, ...]:
    """Return the controls that were set, lifted or in force that day, the newest last."""
    found = []
    for control in facts.controls:
        what = _what_happened(control, facts)
        if what:
            told = control.model_dump(exclude={"kind"})
            found.append(ControlOfDay(**told, kind=control.kind.value, what=what))
    return tuple(sorted(found, key=lambda item: item.at))


def _what_happened(
    control: Control, facts: DayFacts
) -> tuple[Literal["set", "lifted", "expired", "in force"], ...]:
    what: list[Literal["set", "lifted", "expired", "in force"]] = []
    ended = control.expires_at
    if facts.start <= control.at < facts.end:
        what.append("set")
    if ended is not None and facts.start <= ended < facts.until:
        what.append("lifted" if control.lifted_by is not None else "expired")
    if control.at < facts.until and control.is_active(facts.until):
        what.append("in force")
    return tuple(what)


def questions_of(facts: DayFacts, strategies: Iterable[StrategyDay]) -> tuple[Question, ...]:
    """Return what a person must look at, the most severe first, each with the command that shows more."""
    asked = [*_about_orders(facts), *_about_findings(facts), *_about_bot(facts)]
    asked += _about_strategies(facts, strategies)
    asked += [_about_control(control) for control in facts.controls if _forgotten(control, facts)]
    if any(gap.state in BROKEN_GAPS for gap in facts.gaps):
        broken = sum(gap.bars for gap in facts.gaps if gap.state in BROKEN_GAPS)
        asked.append(
            Question(
                severity="warning",
                what=f"{count(broken, 'bar')} may exist that the bus does not have",
                command="quantbus ingest gaps",
            )
        )
    return tuple(sorted(asked, key=lambda item: item.severity != "critical"))


def _about_orders(facts: DayFacts) -> list[Question]:
    unknown = [row for row in facts.ledger if row.state is ExecutionState.UNKNOWN and row.seen_at < facts.end]
    asked = [
        Question(
            severity="critical",
            what=f"what became of an order of {row.consumer_id} for {row.pair} ({row.strategy_id}) is unknown",
            command=f"quantbus signals show {row.signal_id}",
        )
        for row in unknown[:_MOST_NAMED]
    ]
    if len(unknown) > _MOST_NAMED:
        left = len(unknown) - _MOST_NAMED
        asked.append(
            Question(
                severity="critical",
                what=f"what became of {left} more orders is unknown",
                command="quantbus executor claims",
            )
        )
    return asked


def _about_findings(facts: DayFacts) -> list[Question]:
    return [
        Question(
            severity=row.severity,
            what=f"{row.check} about {row.subject} has stood since {row.first_seen:%Y-%m-%d %H:%M}: "
            f"{row.message} {row.action}",
            command=f'quantbus monitor ack {row.finding_id} --reason "…"',
        )
        for row in facts.findings
        if row.is_open and row.first_seen < facts.end and not row.is_acknowledged(facts.now)
    ]


def _about_bot(facts: DayFacts) -> list[Question]:
    if not facts.bot_error:
        return []
    told = f"the bot did not say how it stands: {facts.bot_error}"
    return [Question(severity="warning", what=told, command="quantbus monitor check")]


def _about_strategies(facts: DayFacts, strategies: Iterable[StrategyDay]) -> list[Question]:
    """Return what there is to ask; of one kind of question the first few strategies are named, the others counted."""
    by_kind: dict[str, list[Question]] = defaultdict(list)
    for strategy in strategies:
        for kind, question in _about_strategy(facts, strategy):
            by_kind[kind].append(question)
    asked = []
    for kind, questions in by_kind.items():
        asked += questions[:_MOST_NAMED]
        left = len(questions) - _MOST_NAMED
        if left > 0:
            told = f"{count(left, 'more strategy', 'more strategies')} {kind}: see the table of strategies"
            asked.append(Question(severity="warning", what=told, command="quantbus strategies list"))
    return asked


def _about_strategy(facts: DayFacts, own: StrategyDay) -> Iterator[tuple[str, Question]]:
    name = own.strategy_id
    listing = f"quantbus signals list --strategy {name} --since {facts.start:%Y-%m-%d}"

    def ask(kind: str, told: str, command: str) -> tuple[str, Question]:
        return kind, Question(severity="warning", what=told, command=command)

    if own.bars_silent:
        told = f"{name} was silent for {own.bars_silent} of {count(own.bars_due or 0, 'bar')}"
        yield ask("with silent bars", told, f"quantbus strategies show {name}")
    if own.outcomes.unseen:
        told = f"{count(own.outcomes.unseen, 'live signal')} of {name}: seen by no bot"
        yield ask("with signals that no bot saw", told, listing)
    if own.outcomes.rejected:
        told = f"{count(own.outcomes.rejected, 'signal')} of {name} ended with a rejected order"
        yield ask("with rejected orders", told, listing)
    if not own.declared:
        told = f"{name} is not declared: nobody can say whether it is silent"
        yield ask("that are not declared", told, f"quantbus strategies declare {name}")
    unknown = sum(profit.unknown_exits for profit in own.profits)
    if unknown:
        told = f"{count(unknown, 'exit')} of {name} without an entry on the bus: what they brought is in no figure"
        yield ask("with exits of unknown entry", told, "quantbus monitor findings --since 1d")


def _forgotten(control: Control, facts: DayFacts) -> bool:
    """Tell whether a control without an end was in force all day."""
    return control.at < facts.start and control.expires_at is None


def _about_control(control: Control) -> Question:
    return Question(
        severity="warning",
        what=f"{control.kind.value} {control.scope} by {control.by} stands since {control.at:%Y-%m-%d %H:%M} "
        f"without an end: {control.reason}",
        command="quantbus controls list",
    )
