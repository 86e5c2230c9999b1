"""Facts of one made-up day with something of everything."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from quantbus_contracts import Execution, Strategy, Timeframe
from quantbus_contracts.mongo.day_book import Evaluated, RefusedRows, RevisedBars, SaidSignal
from quantbus_contracts.schema import (
    Control,
    ControlKind,
    ExecutionState,
    Fill,
    FindingEpisode,
    Gap,
    Holding,
    RecordedFinding,
    finding_id,
)
from quantbus_contracts.schema.signal import signal_id_of
from quantbus_services.monitor.daily.facts import DayFacts
from quantbus_services.monitor.freqtrade_figures import BotFigures

DAY = date(2026, 1, 5)
START = datetime(2026, 1, 5, tzinfo=UTC)
END = START + timedelta(days=1)
HOUR = Timeframe.parse("1h")
TREND = Strategy(
    strategy_id="trend", venue="BINANCE", timeframe="1h", pairs=("BTC/USDT", "ETH/USDT"), cadence_bars=1
)
QUIET = Strategy(strategy_id="quiet", venue="BINANCE", timeframe="4h", pairs=("SOL/USDT",), cadence_bars=2)


def said(hour: int, *, delay: float = 2.0, strategy_id: str = "trend", origin: str = "live") -> SaidSignal:
    """A signal about the bar that opened then; hour -1 is the last bar of the day before."""
    ts = START + timedelta(hours=hour)
    closed = HOUR.close_of(ts)
    return SaidSignal(
        signal_id_of((strategy_id, "BTC/USDT", "1h", ts)),
        strategy_id,
        "BINANCE:BTCUSDT",
        "BTC/USDT",
        "1h",
        ts,
        origin,
        closed + timedelta(seconds=delay),
        closed + timedelta(seconds=delay / 2),
    )


def row(
    signal: SaidSignal, state: ExecutionState, reason: str | None = None, *, bot: str = "bot"
) -> Execution:
    """What a bot did with it, seen after half a second."""
    seen = signal.available_at + timedelta(seconds=0.5)
    traded = state is ExecutionState.FILLED
    return Execution(
        consumer_id=bot,
        signal_id=signal.signal_id,
        strategy_id=signal.strategy_id,
        pair=signal.pair,
        timeframe=signal.timeframe,
        ts=signal.ts,
        version=1,
        state=state,
        reason=reason,
        available_at=signal.available_at,
        seen_at=seen,
        ordered_at=seen + timedelta(seconds=1) if traded else None,
        filled_at=seen + timedelta(seconds=3) if traded else None,
        slippage=0.001 if traded else None,
    )


def fill(
    purpose: str, price: float, hour: float, *, side: str, amount: float = 1.0, trade_id: int = 1
) -> Fill:
    """A fill at an hour of the day; of the day before where it is negative."""
    moment = START + timedelta(hours=hour)
    return Fill.model_validate(
        {
            "consumer_id": "bot",
            "strategy_id": "trend",
            "pair": "BTC/USDT",
            "order_id": f"{trade_id}-{purpose}-{hour}",
            "trade_id": trade_id,
            "side": side,
            "purpose": purpose,
            "amount": amount,
            "price": price,
            "ordered_at": moment,
            "filled_at": moment,
            "dry_run": True,
        }
    )


def finding(subject: str, first_seen: datetime, resolved_at: datetime | None = None) -> RecordedFinding:
    """A stream of bars that stood still."""
    return RecordedFinding(
        check="candle_stale",
        kind="candle_stale",
        subject=subject,
        severity="critical",
        message=f"expected a bar of {subject}, found none <b>yet</b>",
        action="Look after ingestion.",
        finding_id=finding_id("candle_stale", "candle_stale", subject),
        episode=1,
        first_seen=first_seen,
        last_seen=resolved_at or END,
        resolved_at=resolved_at,
    )


def busy_day() -> DayFacts:
    """A day on which a good deal happened."""
    signals = [said(hour, delay=1.0 + hour) for hour in range(-1, 21)]
    ledger = [row(signal, ExecutionState.FILLED) for signal in signals[:10]]
    ledger += [row(signal, ExecutionState.REFUSED, "no_slot") for signal in signals[10:16]]
    ledger += [row(signal, ExecutionState.REJECTED, "order_rejected") for signal in signals[16:18]]
    ledger += [row(signals[18], ExecutionState.UNKNOWN)]
    stood = finding("BINANCE:ETHUSDT 1h", START + timedelta(hours=20))
    over = replace_past(finding("BINANCE:BTCUSDT 1h", START + timedelta(hours=3), START + timedelta(hours=4)))
    return DayFacts(
        day=DAY,
        start=START,
        end=END,
        now=END + timedelta(hours=2),
        strategies=[TREND, QUIET],
        declared_at={"trend": START - timedelta(days=9), "quiet": START - timedelta(days=9)},
        signals=[*signals, said(5, strategy_id="trend_backfill", origin="backfill")],
        runs=[
            Evaluated("trend", START + timedelta(hours=hour), "over a gap" if hour == 7 else None)
            for hour in range(-2, 21)
            if hour not in (12, 13)
        ],
        ledger=ledger,
        arrivals={
            ("BINANCE:BTCUSDT", "1h", signal.ts): HOUR.close_of(signal.ts) + timedelta(seconds=0.3)
            for signal in signals
        },
        fills=[
            fill("entry", 100.0, 1, side="buy"),
            fill("exit", 110.0, 2, side="sell"),
            fill("exit", 90.0, 3, side="sell", trade_id=2),
            fill("exit", 95.0, 5, side="sell", trade_id=3),
        ],
        fills_before=[fill("entry", 88.0, -5, side="buy", trade_id=2)],
        holdings=[
            Holding(
                consumer_id="bot",
                strategy_id="trend",
                pair="ETH/USDT",
                side="short",
                amount=2.0,
                entry_price=50.0,
                at=END,
                dry_run=True,
            ),
        ],
        closes={("trend", "ETH/USDT"): 45.0},
        gaps=[
            Gap(
                symbol="BINANCE:ETHUSDT",
                timeframe="1h",
                start=START + timedelta(hours=18),
                end=START + timedelta(hours=20),
                first_seen=START + timedelta(hours=21),
                source="ingest live",
            )
        ],
        revised=[RevisedBars("BINANCE:BTCUSDT", "1h", 3, 0.0012)],
        disagreed=[RevisedBars("BINANCE:ETHUSDT", "1h", 1, 0.004)],
        refused=[RefusedRows("charts", "pair", 4, "no such pair | 'X'")],
        findings=[over, stood],
        controls=[
            Control(
                scope="pair:ETH/USDT",
                source="monitor",
                kind=ControlKind.BLOCK,
                reason="positions disagree",
                by="monitor",
                at=START + timedelta(hours=4),
                expires_at=START + timedelta(hours=5),
                lifted_by="anna",
            ),
            Control(
                scope="all",
                source="operator",
                kind=ControlKind.HALT,
                reason="holiday",
                by="anna",
                at=START - timedelta(days=3),
            ),
        ],
        bot=BotFigures(
            started_at=START,
            last_process=END,
            whitelist=frozenset(),
            stake_currency="USDT",
            equity=1_012.5,
            free_stake=900.0,
            open_trades=1,
            closed_trades=3,
            profit_ratio=0.0125,
            drawdown_ratio=0.01,
            day_profit_ratio=0.002,
        ),
        bot_name="bot",
    )


def replace_past(over: RecordedFinding) -> RecordedFinding:
    """The same, with the time before that it stood, on the day before."""
    earlier = FindingEpisode(
        first_seen=START - timedelta(hours=9),
        resolved_at=START - timedelta(hours=8),
        message="the day before",
    )
    newest = FindingEpisode(
        first_seen=over.first_seen, resolved_at=over.resolved_at or END, message=over.message
    )
    return over.model_copy(update={"past": (earlier, newest), "episode": 2})


def quiet_day() -> DayFacts:
    """A day on which nothing was there at all."""
    return replace(DayFacts(DAY, START, END, END + timedelta(hours=1)), strategies=[])
