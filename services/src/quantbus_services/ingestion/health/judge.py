"""What the numbers of a series mean: may it be traded on, and what should a person look at; pure."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.health.measure import JUMP, SPIKE, Measures

__all__ = ["Issue", "Limits", "SeriesHealth", "Verdict", "judged", "moment"]

Verdict = Literal["bad", "look", "good"]
"""Not to be traded on; may be, but a person should look; nothing found."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Limits:
    """From where on a finding forbids trading."""

    missing_share: float = 0.001
    """Of all bars that should be there; those that the venue never had do not count."""
    behind_bars: int = 2
    """Closed bars that may be absent at the end."""
    zero_run_bars: int = 60
    """Bars in a row without volume."""
    strict: bool = False
    """Whether what a person should look at forbids trading too."""


@dataclass(frozen=True, slots=True)
class Issue:
    """One thing found in a series."""

    kind: str
    verdict: Verdict
    count: int
    told: str


@dataclass(frozen=True, slots=True)
class SeriesHealth:
    """One series, measured and judged."""

    name: str
    timeframe: Timeframe
    measures: Measures
    issues: tuple[Issue, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of the issues."""
        found = {issue.verdict for issue in self.issues}
        return "bad" if "bad" in found else "look" if found else "good"


def judged(name: str, timeframe: Timeframe, measures: Measures, limits: Limits) -> SeriesHealth:
    """Judge the numbers of one series."""
    issues = list(_issues(measures, timeframe, limits))
    if limits.strict:
        issues = [Issue(item.kind, "bad", item.count, item.told) for item in issues]
    order = ("bad", "look", "good")
    return SeriesHealth(
        name, timeframe, measures, tuple(sorted(issues, key=lambda item: order.index(item.verdict)))
    )


def moment(milliseconds: int) -> datetime:
    """Return an open time as a datetime; the last one that there is for what lies beyond."""
    try:
        return _EPOCH + timedelta(milliseconds=milliseconds)
    except OverflowError:
        return datetime.max.replace(tzinfo=UTC)


def _issues(found: Measures, timeframe: Timeframe, limits: Limits) -> Iterator[Issue]:
    if not found.bars:
        yield Issue("no_bars", "bad", 0, "there are no bars")
    yield from _rows(found)
    open_bars = found.missing - found.confirmed
    if open_bars:
        worst = max(found.days, key=lambda day: day.share)
        verdict: Verdict = "bad" if found.missing_share > limits.missing_share else "look"
        told = (
            f"{_count(open_bars, 'bar')} missing ({found.missing_share:.3%}) on {_count(len(found.days), 'day')}; "
            f"worst {moment(worst.start_ms):%Y-%m-%d} with {worst.share:.1%}"
        )
        yield Issue("missing", verdict, open_bars, told)
    if found.behind > limits.behind_bars:
        yield Issue(
            "stale", "bad", found.behind, f"the newest {_count(found.behind, 'closed bar')} did not come"
        )
    yield from _events(found)
    yield from _zero_volume(found, limits)


def _events(found: Measures) -> Iterator[Issue]:
    if found.jumps:
        far = max(found.jumps, key=lambda event: abs(event.value))
        told = f"{_count(len(found.jumps), 'close')} more than {JUMP:.0%} off the one before"
        at = f"{far.value:+.0%} at {_when(far.time_ms)}"
        yield Issue("jumps", "look", len(found.jumps), f"{told}; {at}")
    if found.spikes:
        far = max(found.spikes, key=lambda event: event.value)
        told = f"{_count(len(found.spikes), 'volume')} above {SPIKE:g} times the median"
        at = f"{far.value:,.0f} times at {_when(far.time_ms)}"
        yield Issue("volume_spikes", "look", len(found.spikes), f"{told}; {at}")


def _zero_volume(found: Measures, limits: Limits) -> Iterator[Issue]:
    if not found.zero_volume:
        return
    longest = max(found.zero_runs, key=lambda run: run.bars, default=None)
    told = f"{_count(found.zero_volume, 'bar')} without volume"
    if longest is not None:
        told += f"; {longest.bars:,} in a row from {_when(longest.start_ms)}"
    bad = longest is not None and longest.bars >= limits.zero_run_bars
    yield Issue("zero_volume", "bad" if bad else "look", found.zero_volume, told)


def _rows(found: Measures) -> Iterator[Issue]:
    faults = (
        ("unreadable", found.unreadable, "row", "that cannot be read"),
        ("duplicates", found.duplicates, "row", "whose open time occurred before"),
        ("out_of_order", found.out_of_order, "row", "earlier than the row before"),
        ("misaligned", found.misaligned, "row", "that no bar of this timeframe opens at"),
        ("ohlc", found.ohlc, "row", "whose high or low contradicts open and close"),
        ("nonpositive", found.nonpositive, "row", "with a price of zero or less"),
        ("not_numbers", found.not_numbers, "row", "with something that is no number"),
    )
    for kind, count, what, told in faults:
        if count:
            yield Issue(kind, "bad", count, f"{_count(count, what)} {told}")


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _when(milliseconds: int) -> str:
    return f"{moment(milliseconds):%Y-%m-%d %H:%M}"
