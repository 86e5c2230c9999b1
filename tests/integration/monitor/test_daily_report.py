"""The daily report of a real bus: what it reads, what it costs, and how the command writes it."""

import json
import subprocess
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts import PublishRun, Strategy, Timeframe
from quantbus_contracts.bus import SignalBus
from quantbus_contracts.mongo.account_books import AccountBooks
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.controls import ControlStore
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.findings import FindingStore
from quantbus_contracts.mongo.gaps import GapStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Control, ControlKind, ExecutionState, Fill, Gap, Holding, Sighting
from quantbus_contracts.testing import make_candles, make_execution, make_signal
from quantbus_services.monitor.daily import DayReport
from quantbus_services.monitor.daily.gathering import gather
from quantbus_services.monitor.daily.judging import report_of
from tests.fixtures.stored_signals import as_published, store_signals
from tests.integration.monitor.running import QUANTBUS, environment

pytestmark = pytest.mark.integration
HOUR = Timeframe.parse("1h")
BARS = 8


@dataclass
class Yesterday:
    """A day on the bus, of which everything is known."""

    start: datetime

    @property
    def end(self) -> datetime:
        return self.start + timedelta(days=1)


def _strategy(name: str) -> Strategy:
    return Strategy(
        strategy_id=name, venue="BINANCE", timeframe="1h", pairs=("BTC/USDT", "ETH/USDT"), cadence_bars=1
    )


@pytest.fixture
def yesterday(connection: Connection) -> Yesterday:
    """A strategy spoke at its first bars and was silent later; a bot traded every other signal."""
    now = connection.server_now()
    day = Yesterday(now.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=1))
    SignalBus(connection).declare(_strategy("demo"))
    _declared_long_ago(connection, day.start)
    CandleWriter(connection).write(make_candles(30, start=day.start, timeframe="1h"))
    made = []
    for index in range(-2, BARS):
        signal = make_signal(strategy_id="demo", timeframe="1h", ts=day.start + index * HOUR.delta)
        earlier = signal.model_copy(update={"action": "exit_long"})
        first = signal.closes_at + timedelta(seconds=1)
        revised = first + timedelta(days=1)  # what was revised since still was said then
        made.append(as_published((earlier, first), (signal, revised)))
        SignalBus(connection).record_run(
            PublishRun(
                strategy_id="demo",
                timeframe="1h",
                ts=signal.ts,
                evaluated_at=first,
                pairs_evaluated=2,
                signals=1,
            )
        )
    store_signals(connection, made)
    rows = [
        make_execution(
            item.signal,
            state=ExecutionState.FILLED if index % 2 else ExecutionState.REFUSED,
            reason=None if index % 2 else "no_slot",
            available_at=item.first_available_at,
            seen_at=item.first_available_at + timedelta(seconds=0.25),
            slippage=0.002 if index % 2 else None,
        )
        for index, item in enumerate(made)
    ]
    ExecutionWriter(connection).record(rows)
    _books(connection, day)
    return day


def _declared_long_ago(connection: Connection, moment: datetime) -> None:
    stored = connection.client[connection.names.of("strategies")]["strategies"]
    stored.update_many({}, {"$set": {"declared_at": moment - timedelta(days=9)}})


def _books(connection: Connection, day: Yesterday) -> None:
    told = {"consumer_id": "bot", "strategy_id": "demo", "pair": "BTC/USDT", "trade_id": 7, "dry_run": True}
    moments = (day.start - timedelta(hours=3), day.start + timedelta(hours=3))
    bought, sold = (
        Fill(
            order_id=purpose,
            side=side,
            purpose=purpose,
            amount=2.0,
            price=price,
            ordered_at=moment,
            filled_at=moment,
            **told,
        )
        for purpose, side, price, moment in zip(
            ("entry", "exit"), ("buy", "sell"), (100.0, 103.0), moments, strict=True
        )
    )
    held = Holding(side="long", amount=0.5, entry_price=100.0, at=day.end, **told)
    AccountBooks(connection).record([bought, sold, held])
    ControlStore(connection).put(
        Control(
            scope="all",
            source="operator",
            kind=ControlKind.BLOCK,
            reason="a look",
            by="anna",
            at=day.start + timedelta(hours=5),
        )
    )
    GapStore(connection).put(
        [
            Gap(
                symbol="BINANCE:ETHUSDT",
                timeframe="1h",
                start=day.start,
                end=day.start + 2 * HOUR.delta,
                first_seen=day.start + timedelta(hours=9),
                source="ingest live",
            )
        ]
    )
    sighting = Sighting(
        check="candle_stale",
        kind="candle_stale",
        subject="BINANCE:ETHUSDT 1h",
        severity="warning",
        message="no bar",
        action="Look after ingestion.",
    )
    FindingStore(connection).record([sighting], judged_at=connection.server_now())


async def test_a_day_is_told_from_what_stands_on_the_bus(
    yesterday: Yesterday, async_connection: AsyncConnection
) -> None:
    report = report_of(await gather(async_connection, yesterday.start.date()))
    [demo] = report.strategies
    # Of the two bars before midnight the later one closed at midnight: it was said that day.
    assert demo.published == BARS + 1
    assert (demo.outcomes.traded, demo.outcomes.refused, demo.outcomes.unseen) == (5, 4, 0)
    assert demo.refusals[0].reason == "no_slot"
    assert (demo.bars_due, demo.bars_silent) == (24, 24 - BARS - 1)
    [silence] = demo.silent
    assert silence.first == yesterday.start + BARS * HOUR.delta
    hops = {item.hop: item.seconds for item in demo.hops}
    assert hops["bar close → available"].worst == pytest.approx(1.0)
    assert hops["available → seen"].p50 == pytest.approx(0.25)
    [profit] = demo.profits
    assert profit.realised == pytest.approx(6.0)
    assert profit.unknown_exits == 0
    [held] = demo.held
    assert held.last_price == 130.0  # the newest bar's close
    assert [item.kind for item in report.data] == ["gap"]
    assert report.findings == ()  # it came up today
    assert [item.what for item in report.controls] == [("set", "in force")]
    assert report.left_out == ()


async def test_more_rows_than_a_report_reads_are_told(
    yesterday: Yesterday, async_connection: AsyncConnection
) -> None:
    report = report_of(await gather(async_connection, yesterday.start.date(), limit=3))
    assert any("more rows of the ledger than" in told for told in report.left_out)


async def test_a_row_written_past_the_validators_hides_no_other(
    yesterday: Yesterday, connection: Connection, async_connection: AsyncConnection
) -> None:
    stored = connection.client[connection.names.of("crypto_signals")]["crypto_signals"]
    stored.database.command({"collMod": "crypto_signals", "validationLevel": "off"})
    stored.insert_one({"_id": "odd", "available_at": yesterday.start + timedelta(hours=2), "history": [7]})
    report = report_of(await gather(async_connection, yesterday.start.date()))
    assert report.strategies[0].published == BARS + 1
    assert any("could not be read" in told for told in report.left_out)


def test_the_command_writes_both_forms_and_says_what_is_open(
    yesterday: Yesterday, mongo_settings: MongoSettings, tmp_path: Path
) -> None:
    out = tmp_path / "reports"
    given = environment(mongo_settings, tmp_path, COLUMNS="400")
    command = [QUANTBUS, "monitor", "report", "--out", str(out), "--json"]
    told = subprocess.run(command, env=given, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stderr
    report = DayReport.model_validate(json.loads(told.stdout))
    assert report.day == yesterday.start.date()  # by default the day before today
    name = f"quantbus-{report.day}"
    assert {path.name for path in out.iterdir()} == {f"{name}.html", f"{name}.md"}
    assert "<title>quantbus" in (out / f"{name}.html").read_text()
    assert "Raise max_open_trades" in (out / f"{name}.md").read_text()
    wrong = [QUANTBUS, "monitor", "report", "--day", "05.01.2026"]
    told = subprocess.run(wrong, env=given, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (told.returncode, told.stdout) == (2, "")
    assert "expected a day such as" in told.stderr
