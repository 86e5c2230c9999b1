"""What publishing does, step by step: look up, check, declare what is new, write, report."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from quantbus_contracts.bus.registry import Registry
from quantbus_contracts.bus.rows import (
    CheckedRows,
    Given,
    Rows,
    check_rows,
    rejection,
    rows_of,
    strategy_ids,
)
from quantbus_contracts.errors import BusError, ContractError
from quantbus_contracts.mongo.author import Author
from quantbus_contracts.mongo.signal_writer import (
    Outcome,
    Publication,
    RowResult,
    publish_signals,
    record_rejections,
)
from quantbus_contracts.mongo.steps import Steps, new_deadline
from quantbus_contracts.mongo.strategies import declare
from quantbus_contracts.schema import Declaration, PublishReport, Rejection, Signal, Strategy
from quantbus_contracts.timeframe import Timeframe

__all__ = ["Desk", "Wishes", "default_valid_until"]

DEFAULT_VALID_BARS = 3
"""A signal without an end of its own lives until three bars after its bar's open: two after its close."""


def default_valid_until(signal: Signal) -> datetime:
    """Return the end of a signal that names none."""
    return signal.ts + DEFAULT_VALID_BARS * Timeframe.parse(signal.timeframe).delta


@dataclass(frozen=True, slots=True)
class Wishes:
    """How a batch is to be published."""

    given: Given = field(default_factory=Given)
    declaration: Strategy | None = None
    expected_versions: Mapping[str, int] = field(default_factory=dict)
    dry_run: bool = False


@dataclass(slots=True)
class _Ending:
    """What became of the rows, by index of the signal, and what else there is to say."""

    results: dict[int, RowResult] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    wrote: bool = False


class Desk:
    """Publishes for one author; the synchronous and the asynchronous bus carry its steps."""

    def __init__(self, author: Author, registry: Registry | None = None) -> None:
        """Publish as ``author``."""
        self.author = author
        self.registry = registry or Registry()
        self._crowded: dict[str, float] = {}

    def publish(self, rows: Rows, wishes: Wishes) -> Steps[PublishReport]:
        """Publish what was given; see `SignalBus.publish`."""
        found = rows_of(rows)
        wanted = strategy_ids(found, wishes.given)
        if wishes.declaration is not None:
            wanted.add(wishes.declaration.strategy_id)
        declarations = yield from self.registry.look_up(sorted(wanted))
        strategies = {name: declaration.strategy for name, declaration in declarations.items()}
        if wishes.declaration is not None:
            _require_no_other(wishes.declaration, strategies)
            strategies[wishes.declaration.strategy_id] = wishes.declaration
        checked = check_rows(found, wishes.given, strategies)
        ending = _Ending()
        identities = [signal.signal_id for signal in checked.signals]
        for strategy_id, indexes in checked.by_strategy().items():
            signals = [checked.signals[index] for index in indexes]
            try:
                declaration = declarations.get(strategy_id) or (
                    yield from self._first_declaration(signals, strategies.get(strategy_id), wishes, ending)
                )
            except ContractError as error:
                refused = RowResult(Outcome.REJECTED, error.reason, error.field, error.value)
                ending.results |= dict.fromkeys(indexes, refused)
                continue
            published = yield from publish_signals(
                signals,
                [identities[index] for index in indexes],
                Publication(
                    author=self.author,
                    batch_id=uuid.uuid4().hex,
                    declaration=declaration,
                    default_valid_until=default_valid_until,
                    expected_versions=wishes.expected_versions,
                    dry_run=wishes.dry_run,
                    crowded=self._crowded,
                    may_fail=not ending.wrote,
                ),
            )
            ending.wrote = True
            ending.results |= dict(zip(indexes, published.results, strict=True))
            if published.declaration.version != declaration.version:
                self.registry.note(published.declaration)
        report = _report(checked, identities, ending, len(found), dry_run=wishes.dry_run)
        return report if wishes.dry_run else (yield from self._keep_refused(report, found))

    def _first_declaration(
        self, signals: Sequence[Signal], given: Strategy | None, wishes: Wishes, ending: _Ending
    ) -> Steps[Declaration]:
        """Declare a strategy that nobody declared: as given, else as its first signals say."""
        strategy = given if given is not None else _derived(signals)
        if wishes.dry_run:
            ending.notes.append(f"would be declared by this batch: {_told(strategy)}")
            return Declaration(strategy=strategy, version=1)
        declaration = yield from declare(strategy, self.author, first_only=True)
        self.registry.note(declaration)
        ending.notes.append(f"declared by this batch: {_told(declaration.strategy)}")
        return declaration

    def declare(self, strategy: Strategy, *, first_only: bool = False) -> Steps[None]:
        """Make a declaration the one that stands; with ``first_only`` only where none does."""
        if first_only and (yield from self.registry.look_up([strategy.strategy_id])):
            return
        self.registry.note((yield from declare(strategy, self.author, first_only=first_only)))

    def declaration(self, strategy_id: str) -> Steps[Declaration | None]:
        """Return the declaration that stands, asked for now."""
        self.registry.forget(strategy_id)
        return (yield from self.registry.look_up([strategy_id])).get(strategy_id)

    def timeframe_of(self, strategy_id: str, timeframe: str | Timeframe | None) -> Steps[Timeframe]:
        """Return the timeframe to read: the one given, else the declared one.

        Raises
        ------
        ContractError
            If there is neither.
        """
        if timeframe is not None:
            return Timeframe.parse(timeframe)
        declared = (yield from self.registry.look_up([strategy_id])).get(strategy_id)
        if declared is None:
            raise ContractError(
                f"strategy {strategy_id!r} is not declared; name the timeframe to read", field="timeframe"
            )
        return Timeframe.parse(declared.strategy.timeframe)

    def _keep_refused(self, report: PublishReport, rows: Sequence[Any]) -> Steps[PublishReport]:
        """Keep the refused rows on the bus; that this failed must not hide what became of the others."""
        if not report.rejections:
            return report
        refused = [
            {
                "row": repr(rows[item.row])[:10_000],
                "field": item.field,
                "value": item.value,
                "reason": item.reason[:2_000],
            }
            for item in report.rejections
        ]
        yield new_deadline()
        try:
            yield from record_rejections(refused, self.author.publisher)
        except BusError as error:
            return replace(report, notes=(*report.notes, f"the refused rows could not be kept: {error}"))
        return report


def _require_no_other(wanted: Strategy, strategies: Mapping[str, Strategy]) -> None:
    stands = strategies.get(wanted.strategy_id)
    if stands is not None and stands != wanted:
        raise ContractError(
            f"strategy {wanted.strategy_id!r} stands declared otherwise ({_told(stands)}); publishing does not "
            "redeclare: call bus.declare(…) first, or leave the declaration out",
            field="strategy_id",
            value=wanted.strategy_id,
        )


def _derived(signals: Sequence[Signal]) -> Strategy:
    try:
        return Strategy.derived_from(signals)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        raise ContractError(
            f"no declaration can be made of these rows ({first['msg']}); declare the strategy first",
            field="strategy_id",
            value=signals[0].strategy_id,
        ) from None


def _told(strategy: Strategy) -> str:
    shown = ", ".join(strategy.pairs[:5]) + (
        f" and {len(strategy.pairs) - 5} more" if len(strategy.pairs) > 5 else ""
    )
    return (
        f"{strategy.strategy_id}, {strategy.venue} {strategy.market_type}, {strategy.timeframe} bars, {shown}"
    )


def _report(
    checked: CheckedRows, identities: Sequence[str], ending: _Ending, total: int, *, dry_run: bool
) -> PublishReport:
    counts = dict.fromkeys(("inserted", "revised", "unchanged", "stale", "unknown"), 0)
    rejections = list(checked.rejections)
    unsettled: list[Rejection] = []
    signal_ids: list[str | None] = [None] * total
    for index, position in enumerate(checked.positions):
        result = ending.results[index]
        signal_ids[position] = identities[index]
        if result.outcome is not Outcome.REJECTED:
            counts[result.outcome.value] += 1
        if result.outcome in (Outcome.REJECTED, Outcome.STALE, Outcome.UNKNOWN):
            value = result.value if result.field else identities[index]
            row = rejection(position, result.field, value, result.reason)
            (rejections if result.outcome is Outcome.REJECTED else unsettled).append(row)
    return PublishReport(
        **counts,
        rejections=tuple(sorted(rejections, key=lambda item: item.row)),
        unsettled=tuple(sorted(unsettled, key=lambda item: item.row)),
        signal_ids=tuple(signal_ids),
        notes=tuple(ending.notes),
        dry_run=dry_run,
    )
