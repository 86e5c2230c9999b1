"""What page and Markdown say in the same words: sums over strategies, and figures as people read them."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from quantbus_services.monitor.daily.report import DayReport, Outcomes, StrategyDay
from quantbus_services.monitor.pages.words import count

__all__ = ["OUTCOMES", "Totals", "headline", "money", "share", "totals_of"]

OUTCOMES = (
    ("traded", "traded", "good"),
    ("ordered", "on their way", "plain"),
    ("waiting", "not decided", "plain"),
    ("refused", "refused", "look"),
    ("superseded", "superseded", "plain"),
    ("expired_unseen", "expired", "look"),
    ("unseen", "seen by no bot", "look"),
    ("rejected", "rejected", "bad"),
    ("unknown", "fate unknown", "bad"),
)
"""Fields of `Outcomes`, how they are called, and their colours."""


@dataclass(frozen=True, slots=True)
class Totals:
    """All strategies together."""

    published: int
    outcomes: Outcomes
    bars_silent: int
    realised: dict[str, float]
    unknown_exits: int
    worth: dict[str, float]
    """What is held, shorts counted against longs, by quote currency."""
    unpriced: int
    """Positions of which the worth is not known."""


def totals_of(strategies: Iterable[StrategyDay]) -> Totals:
    """Return the sums over strategies."""
    listed = list(strategies)
    outcomes: dict[str, int] = defaultdict(int)
    realised: dict[str, float] = defaultdict(float)
    worth: dict[str, float] = defaultdict(float)
    for strategy in listed:
        for name, _, _ in OUTCOMES:
            outcomes[name] += getattr(strategy.outcomes, name)
        for profit in strategy.profits:
            realised[profit.currency] += profit.realised
        for held in strategy.held:
            worth[held.currency] += held.worth or 0.0
    return Totals(
        published=sum(strategy.published for strategy in listed),
        outcomes=Outcomes(**outcomes),
        bars_silent=sum(strategy.bars_silent for strategy in listed),
        realised=dict(sorted(realised.items())),
        unknown_exits=sum(profit.unknown_exits for strategy in listed for profit in strategy.profits),
        worth=dict(sorted(worth.items())),
        unpriced=sum(held.worth is None for strategy in listed for held in strategy.held),
    )


def headline(report: DayReport) -> tuple[str, str]:
    """Return how the day is summed up, and its colour."""
    critical = sum(question.severity == "critical" for question in report.questions)
    if critical:
        return f"{count(critical, 'thing')} to look at now", "bad"
    if report.questions:
        return f"{count(len(report.questions), 'open question')}", "look"
    return "Nothing is left to ask", "good"


def share(value: float | None) -> str:
    """Return a share that has no sign."""
    return "–" if value is None else f"{value:.2%}"


def money(value: float | None) -> str:
    """Return a sum of money with its sign."""
    return "–" if value is None else f"{value:+,.2f}"
