"""The loop: ask the bus for its time, take the readings, run the checks that are due."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Protocol

import structlog
from pydantic import ValidationError

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusUnavailable, QuantbusError
from quantbus_services.monitor.acknowledged import acknowledged, marked
from quantbus_services.monitor.board import Board, Outcome
from quantbus_services.monitor.bot_readings import BotReadings
from quantbus_services.monitor.checks import Check, Limits, Noting
from quantbus_services.monitor.exported import finding_series
from quantbus_services.monitor.findings import Finding
from quantbus_services.monitor.metrics import LoopMetrics, remove, set_all
from quantbus_services.monitor.readings import Readings
from quantbus_services.monitor.status import FindingStatus, consumers_status, strategies_status
from quantbus_services.monitor.view import BusView

__all__ = ["CyclicView", "Runner", "run_checks"]

_log = structlog.get_logger(__name__)
_MOST_FAILURES = 100
"""Cycles in a row that may break in a way nobody foresaw; then the process ends and its supervisor decides."""


class CyclicView(BusView, Protocol):
    """A view that remembers its answers within a cycle."""

    def begin_cycle(self, now: datetime) -> None:
        """Forget the answers of the last cycle; ``now`` is the bus's clock."""
        ...


async def run_checks(checks: Sequence[Check], now: datetime) -> list[Outcome]:
    """Run ``checks`` one after the other; one that cannot know says so and does not stop the others.

    Raises
    ------
    BusUnavailable
        If the bus stopped answering: then none of them can know.
    """
    outcomes = []
    for check in checks:
        try:
            found = tuple(sorted(await check.check(now)))
            note, owner = (check.note, check.owner) if isinstance(check, Noting) else ("", "")
            outcomes.append(Outcome(check.name, now, found, note=note, owner=owner))
        except BusUnavailable:
            raise
        except QuantbusError as error:
            outcomes.append(Outcome(check.name, now, error=str(error)))
        except ValidationError as error:
            outcomes.append(Outcome(check.name, now, error=_not_understood(error)))
    return outcomes


class Runner:
    """Runs cycles for ever. A dead bus is a finding, not an end: the next cycle asks again."""

    def __init__(
        self,
        *,
        server_now: Callable[[], Awaitable[datetime]],
        beat: Callable[[datetime], Awaitable[None]],
        clock: Clock,
        view: CyclicView,
        checks: Sequence[Check],
        board: Board,
        readings: Readings,
        metrics: LoopMetrics,
        bot: BotReadings | None,
        limits: Limits,
        keep: Callable[[Sequence[Outcome], datetime], Awaitable[None]] | None = None,
    ) -> None:
        """Put the parts together; ``server_now`` asks the bus for its clock, ``beat`` tells it that we live.

        ``keep`` takes what was found to the bus; without it a look leaves no trace.
        """
        self._server_now = server_now
        self._beat = beat
        self._clock = clock
        self._view = view
        self._checks = checks
        self._board = board
        self._metrics = metrics
        self._bot = bot
        self._limits = limits
        self._readings = readings
        self._keep_on_bus = keep
        self._stood: dict[str, list[FindingStatus]] = {}

    async def run(self, interval: timedelta) -> None:
        """Run a cycle every ``interval`` until cancelled; a cycle that breaks is logged and tried again."""
        failures = 0
        while True:
            try:
                await self.cycle()
                failures = 0
            except Exception:
                failures += 1
                _log.exception("cycle_failed", failures=failures)
                if failures >= _MOST_FAILURES:
                    raise
            await asyncio.sleep(interval.total_seconds())

    async def cycle(self) -> None:
        """Look at everything once."""
        begun = self._clock.now()
        self._begin_to_wait(begun)
        try:
            now = await self._ask_time()
            await self._begin(now)
            await _as_far_as_understood("readings", self._readings.take(now))
            if self._bot is not None:
                self._board.bot_asked(answered=await self._bot.take(now))
            outcomes = await self._with_acknowledgements(await run_checks(self._due(now), now), now)
            for outcome in outcomes:
                self._put(outcome)
            await _as_far_as_understood("findings", self._keep(outcomes, now))
            self._export_findings(now)
            await _as_far_as_understood("overview", self._overview(now))
            await self._beat(now)  # once more, with up to when everything is counted
        except BusUnavailable as error:
            if self._board.bus_up:
                _log.warning("bus_down", error=str(error))
            self._board.bus_failed(str(error))
            self._metrics.bus_up.set(0)
            self._metrics.findings.clear()
            if self._bot is not None:
                self._bot.forget()
            await self._look_without_bus(begun)
        else:
            self._metrics.bus_up.set(1)
        ended = self._clock.now()
        self._board.cycle_ended(ended)
        self._metrics.last_cycle.set(ended.timestamp())
        self._metrics.cycle_seconds.observe(max(0.0, (ended - begun).total_seconds()))

    def _begin_to_wait(self, now: datetime) -> None:
        """Let the age of every answer count from the first look: one that never comes is missed as well."""
        if self._board.last_cycle is None:
            for check in self._checks:
                self._metrics.checked.labels(check.name).set(now.timestamp())

    async def _begin(self, now: datetime) -> None:
        self._view.begin_cycle(now)
        if self._board.last_cycle is None:
            # From our last sign of life, before the next one replaces it.
            await _as_far_as_understood("resume", self._readings.resume(now))
            await self._beat(now)  # before looking, or a restarted monitor finds itself lost
            self._view.begin_cycle(now)

    async def _with_acknowledgements(self, outcomes: list[Outcome], now: datetime) -> list[Outcome]:
        """Mark what a person has taken on, whichever check found it."""
        if not any(outcome.findings for outcome in outcomes):
            return outcomes
        try:
            taken_on = acknowledged(await self._view.open_findings(), now)
        except BusUnavailable:
            raise
        except (QuantbusError, ValidationError):  # such as a role from before there were findings
            return outcomes
        return [marked(outcome, taken_on) for outcome in outcomes]

    async def _keep(self, outcomes: Sequence[Outcome], now: datetime) -> None:
        if self._keep_on_bus is not None:
            await self._keep_on_bus(outcomes, now)

    async def _look_without_bus(self, now: datetime) -> None:
        """Run the checks that know their answer while the bus is down; ``now`` is this machine's clock."""
        for outcome in await run_checks([check for check in self._checks if not check.needs], now):
            self._put(outcome)
        self._export_findings(now)

    async def _ask_time(self) -> datetime:
        before = self._clock.now()
        now = await self._server_now()
        after = self._clock.now()
        offset = (now - (before + (after - before) / 2)).total_seconds()
        if not self._board.bus_up:
            _log.info("bus_up", clock_offset_seconds=round(offset, 3))
        self._board.bus_answered(offset)
        self._metrics.clock_offset.labels("bus").set(offset)
        return now

    def _due(self, now: datetime) -> list[Check]:
        due = []
        for check in self._checks:
            last = self._board.outcome_of(check.name)
            # One from the future was judged before the bus's clock was set back: it says nothing about now.
            if last is None or not last.at <= now < last.at + check.every:
                due.append(check)
        return due

    def _put(self, outcome: Outcome) -> None:
        self._log_changes(outcome)
        self._board.put(outcome)
        if outcome.error is not None:
            self._metrics.check_failures.labels(outcome.check).inc()
            remove(
                self._metrics.findings, outcome.check
            )  # unknown is not fine: no figure rather than a wrong one
        else:
            self._metrics.findings.labels(outcome.check).set(len(outcome.findings))
            self._metrics.checked.labels(outcome.check).set(outcome.at.timestamp())
        if outcome.check == "position_mismatch" and self._bot is not None:
            self._bot.put_reconciliation(outcome)

    def _export_findings(self, now: datetime) -> None:
        """Export what stands; of a check that cannot know what stood when it last could: unknown is not over."""
        status = self._board.status(now)
        for check in status.checks:
            if check.outcome in ("fine", "found"):
                self._stood[check.name] = [one for one in status.findings if one.check == check.name]
        standing = [one for found in self._stood.values() for one in found]
        set_all(self._metrics.finding_since, finding_series(standing))

    def _log_changes(self, outcome: Outcome) -> None:
        last = self._board.outcome_of(outcome.check)
        before = {_name(finding) for finding in last.findings} if last else set()
        for finding in outcome.findings:
            if _name(finding) not in before:
                _log.warning("finding", kind=finding.kind, subject=finding.subject, message=finding.message)
        for kind, subject in sorted(before - {_name(finding) for finding in outcome.findings}):
            _log.info("finding_gone", kind=kind, subject=subject, unknown=outcome.error is not None)

    async def _overview(self, now: datetime) -> None:
        rows = await self._view.executions(now - 2 * self._limits.recent)
        strategies = await strategies_status(self._view, now, self._limits.recent)
        self._board.put_overview(strategies, consumers_status(rows))


async def _as_far_as_understood(doing: str, work: Awaitable[None]) -> None:
    """Let a row that is not what it should be keep no check from its turn."""
    try:
        await work
    except ValidationError as error:
        _log.error("rows_not_understood", doing=doing, error=_not_understood(error))


def _not_understood(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    where = ".".join(str(part) for part in first["loc"])
    return (
        f"expected rows that this version understands, found a {error.title} with {where or 'something'} wrong: "
        f"{first['msg']}; see which process of another version writes them"
    )


def _name(finding: Finding) -> tuple[str, str]:
    return finding.kind, finding.subject
