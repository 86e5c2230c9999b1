"""Reads what a report needs: a fixed number of questions, and one more for each timeframe in use."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

from quantbus_contracts import Instrument, Strategy, Timeframe
from quantbus_contracts.mongo.bar_arrivals import AsyncBarArrivals
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.controls import AsyncControlStore
from quantbus_contracts.mongo.day_book import AsyncDayBook, Evaluated, SaidSignal
from quantbus_contracts.mongo.findings import AsyncFindingStore
from quantbus_contracts.mongo.glances import AsyncGlances
from quantbus_contracts.mongo.strategies import AsyncStrategyStore
from quantbus_contracts.schema import Holding
from quantbus_services.monitor.daily.facts import Bar, DayFacts
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from quantbus_services.monitor.freqtrade_figures import BotFigures, FigureReader

__all__ = ["MOST_ROWS", "gather", "span_of"]

MOST_ROWS = 1_000_000
"""Of one kind: a bound against running out of memory, far above what a day brings."""
_MOST_BARS = 5_000
"""Whose arrival is asked for: those of the newest signals."""
_SEEN_LATER = timedelta(days=1)
"""For so long after the day signals of it may be seen and count as such."""


def span_of(day: date) -> tuple[datetime, datetime]:
    """Return the beginning of a day of UTC and of the next."""
    start = datetime.combine(day, time(), UTC)
    return start, start + timedelta(days=1)


@dataclass(slots=True)
class _Bounded:
    """Notes of which kinds there were too many rows."""

    limit: int
    cut_off: list[str] = field(default_factory=list)

    def note(self, what: str, count: int) -> None:
        if count >= self.limit:
            self.cut_off.append(what)


async def gather(
    connection: AsyncConnection,
    day: date,
    *,
    bot: FigureReader | None = None,
    bot_name: str = "",
    limit: int = MOST_ROWS,
) -> DayFacts:
    """Return what the bus, and the bot if there is one, knows of a day."""
    book, bounded = AsyncDayBook(connection), _Bounded(limit)
    start, end = span_of(day)
    now = await connection.server_now()
    strategies = await AsyncStrategyStore(connection).all()
    told = await book.signals(start, end, limit)
    ledger = await book.ledger(start, end + _SEEN_LATER, limit)
    fills = await book.fills(start, end, limit)
    before = await book.fills_before([fill for fill in fills if fill.purpose != "entry"], start, limit)
    gaps = await book.gaps(start, end, limit)
    glances = AsyncGlances(connection)
    holdings = [holding for holding in await glances.holdings() if holding.side != "flat"]
    for what, rows in (("signals", told.signals), ("rows of the ledger", ledger), ("fills", fills)):
        bounded.note(what, len(rows))
    runs = await _runs(book, strategies, start, end, bounded)
    figures, bot_error = await _ask(bot)
    return DayFacts(
        day=day,
        start=start,
        end=end,
        now=now,
        strategies=strategies,
        declared_at=await AsyncStrategyStore(connection).declared_at(),
        signals=told.signals,
        runs=runs,
        ledger=ledger,
        arrivals=await _arrivals(connection, told.signals),
        fills=fills,
        fills_before=before,
        holdings=holdings,
        closes=await _closes(book, strategies, holdings),
        gaps=gaps,
        revised=await book.revised(start, end),
        disagreed=await book.disagreed(start, end),
        refused=await book.refused(start, end),
        findings=(await AsyncFindingStore(connection).snapshot(resolved_since=start)).findings,
        controls=(await AsyncControlStore(connection).snapshot()).controls,
        bot=figures,
        bot_name=bot_name,
        bot_error=bot_error,
        cut_off=tuple(bounded.cut_off),
        unreadable=told.unreadable,
    )


async def _runs(
    book: AsyncDayBook, strategies: Sequence[Strategy], start: datetime, end: datetime, bounded: _Bounded
) -> list[Evaluated]:
    by_timeframe: dict[str, list[Strategy]] = defaultdict(list)
    for strategy in strategies:
        if strategy.cadence_bars is not None:
            by_timeframe[strategy.timeframe].append(strategy)
    found: list[Evaluated] = []
    for name, group in sorted(by_timeframe.items()):
        timeframe = Timeframe.parse(name)
        before = (1 + max(strategy.cadence_bars or 1 for strategy in group)) * timeframe.delta
        names = [strategy.strategy_id for strategy in group]
        rows = await book.runs(names, timeframe, start - before, end, bounded.limit)
        bounded.note(f"evaluations on {name} bars", len(rows))
        found += rows
    return found


async def _arrivals(connection: AsyncConnection, signals: Sequence[SaidSignal]) -> dict[Bar, datetime]:
    newest = sorted(
        {(signal.ts, signal.symbol, signal.timeframe) for signal in signals if signal.origin == "live"},
        reverse=True,
    )
    wanted: dict[str, set[tuple[str, datetime]]] = defaultdict(set)
    for ts, symbol, timeframe in newest[:_MOST_BARS]:
        wanted[timeframe].add((symbol, ts))
    found: dict[Bar, datetime] = {}
    for timeframe, bars in sorted(wanted.items()):
        arrived = await AsyncBarArrivals(connection).all_of(Timeframe.parse(timeframe), bars)
        found |= {(symbol, timeframe, ts): at for (symbol, ts), at in arrived.items()}
    return found


async def _closes(
    book: AsyncDayBook, strategies: Sequence[Strategy], holdings: Sequence[Holding]
) -> dict[tuple[str, str], float]:
    declared: Mapping[str, Strategy] = {strategy.strategy_id: strategy for strategy in strategies}
    wanted: dict[str, dict[tuple[str, str], str]] = defaultdict(dict)
    for holding in holdings:
        strategy = declared.get(holding.strategy_id)
        if strategy is not None:
            symbol = Instrument.from_pair(strategy.venue, holding.pair).symbol
            wanted[strategy.timeframe][holding.strategy_id, holding.pair] = symbol
    found: dict[tuple[str, str], float] = {}
    for timeframe, symbols in sorted(wanted.items()):
        closes = await book.closes(Timeframe.parse(timeframe), frozenset(symbols.values()))
        found |= {name: closes[symbol] for name, symbol in symbols.items() if symbol in closes}
    return found


async def _ask(bot: FigureReader | None) -> tuple[BotFigures | None, str]:
    if bot is None:
        return None, ""
    try:
        return await bot.figures(), ""
    except BotUnavailable as error:
        return None, str(error)
