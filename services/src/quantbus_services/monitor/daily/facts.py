"""What is known of one day, as it was read; nothing is judged here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime

from quantbus_contracts import Execution, Strategy
from quantbus_contracts.mongo.day_book import Evaluated, RefusedRows, RevisedBars, SaidSignal
from quantbus_contracts.schema import Control, Fill, Gap, Holding, RecordedFinding
from quantbus_services.monitor.freqtrade_figures import BotFigures

__all__ = ["Bar", "DayFacts"]

Bar = tuple[str, str, datetime]
"""Symbol, timeframe, open time."""


@dataclass(frozen=True, slots=True)
class DayFacts:
    """One day of UTC: ``[start, end)``; ``now`` is the bus's clock when it was read."""

    day: date
    start: datetime
    end: datetime
    now: datetime
    strategies: Sequence[Strategy] = ()
    declared_at: Mapping[str, datetime] = field(default_factory=dict)
    signals: Sequence[SaidSignal] = ()
    """Those that first stood on the bus that day."""
    runs: Sequence[Evaluated] = ()
    """Of the bars that closed that day, and of one cadence before."""
    ledger: Sequence[Execution] = ()
    """What consumers saw from the beginning of that day on; of later rows only which signals they are about counts."""
    arrivals: Mapping[Bar, datetime] = field(default_factory=dict)
    """When bars were written, of the newest signals."""
    fills: Sequence[Fill] = ()
    fills_before: Sequence[Fill] = ()
    """Earlier ones of trades that were left that day."""
    holdings: Sequence[Holding] = ()
    """As they stand when the report is made."""
    closes: Mapping[tuple[str, str], float] = field(default_factory=dict)
    """By strategy and pair of the holdings: the newest close."""
    gaps: Sequence[Gap] = ()
    revised: Sequence[RevisedBars] = ()
    disagreed: Sequence[RevisedBars] = ()
    refused: Sequence[RefusedRows] = ()
    findings: Sequence[RecordedFinding] = ()
    """Those that stand, and those resolved since the day began."""
    controls: Sequence[Control] = ()
    bot: BotFigures | None = None
    """Of the bot whose REST API is configured."""
    bot_name: str = ""
    bot_error: str = ""
    """Why it is not known, where an address is configured."""
    cut_off: Sequence[str] = ()
    """Kinds of rows of which there were more than a report reads."""
    unreadable: int = 0
    """Rows of signals that were written past the validators."""

    @property
    def until(self) -> datetime:
        """Up to when the day is over."""
        return min(self.end, self.now)
