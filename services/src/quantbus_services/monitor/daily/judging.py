"""From what was read to the report; pure, so that the same facts always give the same report."""

from quantbus_services.monitor.daily.facts import DayFacts
from quantbus_services.monitor.daily.incidents import (
    controls_of_day,
    data_incidents,
    findings_of_day,
    questions_of,
)
from quantbus_services.monitor.daily.report import BotState, DayReport
from quantbus_services.monitor.daily.strategies import strategy_days

__all__ = ["report_of"]


def report_of(facts: DayFacts) -> DayReport:
    """Return the report of a day."""
    strategies = strategy_days(facts)
    return DayReport(
        day=facts.day,
        start=facts.start,
        end=facts.end,
        made_at=facts.now,
        complete=facts.now >= facts.end,
        strategies=strategies,
        refused_rows=tuple(
            f"{item.rows} rows of {item.published_by or 'somebody'} because of {item.field or 'the row'}: {item.reason}"
            for item in facts.refused
        ),
        bot=_bot(facts),
        data=data_incidents(facts),
        findings=findings_of_day(facts),
        controls=controls_of_day(facts),
        questions=questions_of(facts, strategies),
        left_out=tuple(_left_out(facts)),
    )


def _bot(facts: DayFacts) -> BotState | None:
    if facts.bot is None:
        return BotState(name=facts.bot_name, error=facts.bot_error) if facts.bot_error else None
    figures = facts.bot
    return BotState(
        name=facts.bot_name,
        error="",
        equity=figures.equity,
        currency=figures.stake_currency,
        free=figures.free_stake,
        open_trades=figures.open_trades,
        profit_ratio=figures.profit_ratio,
        drawdown_ratio=figures.drawdown_ratio,
    )


def _left_out(facts: DayFacts) -> list[str]:
    told = [
        f"there were more {what} than a report reads: figures about them are too small"
        for what in facts.cut_off
    ]
    if facts.unreadable:
        told.append(f"{facts.unreadable} rows of signals could not be read and are in no figure")
    if facts.now < facts.end:
        told.append("the day is not over: everything is counted so far")
    return told
