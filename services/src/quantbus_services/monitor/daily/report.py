"""The report as a value: what its pages, its Markdown and ``--json`` are made from."""

from datetime import date, datetime
from typing import Literal

from pydantic import BaseModel, ConfigDict

__all__ = [
    "BotState",
    "ControlOfDay",
    "DataIncident",
    "DayReport",
    "FindingOfDay",
    "Held",
    "HopSpread",
    "Outcomes",
    "Profit",
    "Question",
    "Refusal",
    "Silence",
    "Spread",
    "StrategyDay",
]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Spread(_Part):
    """How a figure was spread: seconds of a hop, or shares of a price."""

    count: int
    p50: float
    p95: float
    worst: float


class HopSpread(_Part):
    """One hop on the way from the bar's close to the fill."""

    hop: str
    seconds: Spread


class Refusal(_Part):
    """How often a bot gave one reason, what it means, and what to do; no remedy where nothing is wrong."""

    reason: str
    count: int
    meaning: str
    remedy: str


class Outcomes(_Part):
    """What became of the live signals of the day, each counted once, by the furthest that any bot came with it."""

    traded: int = 0
    ordered: int = 0
    """A bot agreed or ordered, and there is no fill."""
    unknown: int = 0
    """What became of the order could not be found out."""
    rejected: int = 0
    refused: int = 0
    superseded: int = 0
    expired_unseen: int = 0
    waiting: int = 0
    """Seen and not decided."""
    unseen: int = 0
    """No bot has a row about it."""


class Silence(_Part):
    """Bars that a strategy promised to be evaluated for and was not, one after the other."""

    first: datetime
    last: datetime
    bars: int


class Profit(_Part):
    """What trades brought that were left that day, from the prices of their fills, before fees and funding."""

    currency: str
    realised: float
    exits: int
    unknown_exits: int
    """Fills that left something of which no entry is known: they are in no sum."""
    turnover: float
    """What all fills of the day were worth."""


class Held(_Part):
    """What a bot held when the report was made."""

    consumer_id: str
    pair: str
    side: str
    amount: float
    currency: str
    entry_price: float | None
    last_price: float | None
    """The newest close on the bus."""
    worth: float | None
    unrealised: float | None
    opened_at: datetime | None


class StrategyDay(_Part):
    """One strategy."""

    strategy_id: str
    declared: bool
    timeframe: str
    published: int
    late: int
    """Live signals that came later after their bar's close than was declared."""
    other_origins: dict[str, int]
    """Published after the fact, or in a replay: these never trade."""
    outcomes: Outcomes
    refusals: tuple[Refusal, ...]
    bars_due: int | None
    """None where no cadence was promised."""
    silent: tuple[Silence, ...]
    bars_silent: int
    degraded: int
    hops: tuple[HopSpread, ...]
    slippage: Spread | None
    fills_without_ref_price: int
    profits: tuple[Profit, ...]
    held: tuple[Held, ...]
    dry_run: bool | None
    """None where nothing was filled and nothing is held."""


class DataIncident(_Part):
    """Something about bars."""

    kind: Literal["gap", "revised", "disagreed", "stale"]
    subject: str
    told: str
    since: datetime | None
    open: bool


class FindingOfDay(_Part):
    """A finding of a check that stood on that day."""

    finding_id: str
    check: str
    severity: str
    subject: str
    message: str
    action: str
    raised_at: datetime
    resolved_at: datetime | None
    """None while it stands."""
    acknowledged_by: str | None
    acknowledged_reason: str | None


class ControlOfDay(_Part):
    """A control that was set, lifted or in force that day."""

    scope: str
    kind: str
    source: str
    reason: str
    by: str
    at: datetime
    expires_at: datetime | None
    lifted_by: str | None
    what: tuple[Literal["set", "lifted", "expired", "in force"], ...]


class BotState(_Part):
    """What Freqtrade said of itself when the report was made."""

    name: str
    error: str
    equity: float | None = None
    currency: str = ""
    free: float | None = None
    open_trades: int | None = None
    profit_ratio: float | None = None
    drawdown_ratio: float | None = None


class Question(_Part):
    """Something a person must look at, and with which command."""

    severity: Literal["critical", "warning"]
    what: str
    command: str


class DayReport(_Part):
    """One day of UTC."""

    day: date
    start: datetime
    end: datetime
    made_at: datetime
    complete: bool
    """Whether the day was over."""
    strategies: tuple[StrategyDay, ...]
    refused_rows: tuple[str, ...]
    """What the bus did not take, a sentence each."""
    bot: BotState | None
    data: tuple[DataIncident, ...]
    findings: tuple[FindingOfDay, ...]
    controls: tuple[ControlOfDay, ...]
    questions: tuple[Question, ...]
    left_out: tuple[str, ...]
    """What the figures do not cover, a sentence each."""
