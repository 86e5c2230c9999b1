"""What the local stack starts, and how the demo tells what happened."""

import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rich.console import Console

from quantbus_contracts.schema import ExecutionState, PublishedSignal
from quantbus_contracts.testing import FrozenClock, make_execution, make_signal
from quantbus_services.local.display import Display
from quantbus_services.local.settings import clean_environment
from quantbus_services.local.stack import StackPlan
from quantbus_services.local.story import Scene, Trade, journeys

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ENTRY = make_signal(score=0.25)
EXIT = make_signal(action="exit_long", ts=NOON + timedelta(minutes=2))


def published(signal: object = ENTRY) -> PublishedSignal:
    assert isinstance(signal, type(ENTRY))
    return PublishedSignal(
        signal=signal,
        version=1,
        available_at=signal.closes_at + timedelta(seconds=1),
        valid_until=signal.closes_at + timedelta(minutes=2),
        published_by="test",
    )


def trade(**given: object) -> Trade:
    fields: dict[str, object] = {
        "trade_id": 1,
        "pair": "BTC/USDT",
        "is_open": False,
        "opened_at": "2026-01-05 12:01:02",
        "closed_at": "2026-01-05 12:03:01",
        "open_rate": 100.0,
        "close_rate": 101.0,
        "profit": 0.9,
        "profit_ratio": 0.009,
        "exit_reason": "exit_signal",
        "entry_tag": ENTRY.signal_id,
    }
    return Trade(**{**fields, **given})  # type: ignore[arg-type]


def plan(**given: object) -> StackPlan:
    fields: dict[str, object] = {
        "home": Path("/stack"),
        "pairs": ("BTC/USDT", "ETH/USDT"),
        "recipe": "demo",
        "timeframe": "1m",
        "strategy_id": "demo",
        "consumer_id": "bot",
        "bot_port": 1,
        "monitor_port": 2,
        "paper_port": 3,
        "venue": "",
        "data": None,
    }
    return StackPlan(**{**fields, **given})  # type: ignore[arg-type]


def test_a_round_trip_needs_a_closed_trade_with_both_sides_filled_by_signals() -> None:
    entry = make_execution(ENTRY, state=ExecutionState.FILLED, trade_id=1)
    leaving = make_execution(EXIT, state=ExecutionState.FILLED, trade_id=1)
    assert Scene(trades=(trade(),), executions=(entry, leaving)).round_trip == trade()
    assert Scene(trades=(trade(is_open=True),), executions=(entry, leaving)).round_trip is None
    assert Scene(trades=(trade(),), executions=(entry,)).round_trip is None
    other = leaving.model_copy(update={"trade_id": 2})
    assert Scene(trades=(trade(),), executions=(entry, other)).round_trip is None


def test_a_journey_counts_seconds_from_the_close_of_the_bar() -> None:
    filled = make_execution(
        ENTRY,
        state=ExecutionState.FILLED,
        seen_at=ENTRY.closes_at + timedelta(seconds=2),
        ordered_at=ENTRY.closes_at + timedelta(seconds=3),
        filled_at=ENTRY.closes_at + timedelta(seconds=4),
    )
    told = journeys(Scene(signals=(published(EXIT), published()), executions=(filled,)))
    assert [(row.available, row.seen, row.ordered, row.filled, row.state) for row in told] == [
        (1.0, 2.0, 3.0, 4.0, "filled"),
        (1.0, None, None, None, "not seen"),
    ]


def test_tables_fit_into_eighty_columns_and_lose_nothing() -> None:
    out = io.StringIO()
    display = Display(Console(file=out, width=80), FrozenClock())
    refused = make_execution(ENTRY, state=ExecutionState.REFUSED, reason="stale")
    display.journeys(journeys(Scene(signals=(published(),), executions=(refused,))))
    display.trades((trade(), trade(trade_id=2, is_open=True)), "USDT")
    text = out.getvalue()
    for part in ("BTC/USDT", "enter_long", "refused: stale", "+0.90", "exit signal", "open"):
        assert part in text
    assert "…" not in text


def test_each_thing_is_told_once() -> None:
    out = io.StringIO()
    display = Display(Console(file=out, width=120), FrozenClock())
    for _ in range(3):
        display.scene(Scene(signals=(published(),), trades=(trade(),), processes=("research",)))
    assert len(out.getvalue().splitlines()) == 4


def test_children_inherit_no_setting_of_another_stack() -> None:
    given = {"PATH": "/bin", "QUANTBUS_MONGO_URI": "a", "EXT_SIG_DB": "b", "FREQTRADE__DRY_RUN": "false"}
    assert clean_environment(given) == {"PATH": "/bin", "PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}


def test_the_market_is_the_paper_exchange_or_a_real_venue() -> None:
    paper, live = plan(), plan(venue="binance")
    assert paper.ingestion()[-2:] == ["--venue-url", "http://127.0.0.1:3"]
    assert live.ingestion()[-2:] == ["--venue", "binance"]
    assert "--data" not in paper.paper_exchange()
    assert plan(data=Path("/candles")).paper_exchange()[-2:] == ["--data", "/candles"]


def test_no_command_carries_a_secret() -> None:
    for command in (plan().configure_bot(), plan().bot(Path("/u")), plan().monitor(), plan().ingestion()):
        assert not any(
            "password" in part and "file" not in part and "bot-password" not in part for part in command
        )
