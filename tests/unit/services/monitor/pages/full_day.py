"""A day's worth of everything, for pages to show: good and bad, and strings that would like to be HTML."""

import math
from datetime import timedelta

from quantbus_contracts import Heartbeat, PublishRun, Strategy
from quantbus_contracts.schema import (
    AccountBalance,
    AccountSnapshot,
    Balance,
    Control,
    ControlKind,
    Declaration,
    ExecutionState,
    Fill,
    Gap,
    GapState,
    Holding,
    PublishedSignal,
    RecordedFinding,
    UnknownPart,
    finding_id,
)
from quantbus_contracts.testing import make_candle, make_execution, make_signal
from tests.fixtures.stored_signals import as_published
from tests.unit.services.monitor.pages.scene import MINUTE, NOW, Memory, Scene, critical, status_of

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> \"quoted\" 'single' {{ 7 * 7 }}"
BARS = 240
FIRST = NOW.replace(second=0) - (BARS + 1) * MINUTE
SECOND = timedelta(seconds=1)


def _strategy(strategy_id: str, *pairs: str, **given: object) -> Strategy:
    fields = {"strategy_id": strategy_id, "venue": "BINANCE", "timeframe": "1m", "pairs": pairs, **given}
    return Strategy.model_validate(fields)


STRATEGIES = (
    _strategy("momentum-1m", "BTC/USDT", "ETH/USDT", note=HOSTILE),
    _strategy("mean-revert", "BTC/USDT", cadence_bars=5),
    _strategy("hand-made", "SOL/USDT", cadence_bars=None),
    _strategy("quiet-one", "XRP/USDT"),
)


def full_day() -> Scene:
    """Return a scene in trouble: a silent strategy, a position nobody asked for, a late stream."""
    scene = Scene()
    memory = scene.memory
    memory.declared = [
        Declaration(strategy=strategy, version=1, declared_at=FIRST, declared_by="ann@desk")
        for strategy in STRATEGIES
    ]
    _bars(memory)
    for index in range(14):
        _signal(memory, index)
    _signal(memory, 15, note=HOSTILE, source="<b>bold</b>", model_id="lgbm-7", computed=True, seen=False)
    _around(memory)
    _wrong(scene)
    return scene


def _bars(memory: Memory) -> None:
    for symbol, price in (("BINANCE:BTCUSDT", 96_400.0), ("BINANCE:ETHUSDT", 3_310.0)):
        level = price
        for index in range(BARS):
            moved = price * (1 + 0.004 * math.sin(index / 17) + 0.0012 * math.sin(index / 2.3))
            low, high = sorted((level, moved))
            memory.bars.append(
                make_candle(
                    symbol=symbol,
                    open_time=FIRST + index * MINUTE,
                    open=level,
                    close=moved,
                    low=low * 0.9996,
                    high=high * 1.0004,
                    volume=20 + 15 * abs(math.sin(index / 5)),
                )
            )
            level = moved
    newest = FIRST + (BARS - 1) * MINUTE
    memory.newest_bars = {
        ("BINANCE:BTCUSDT", "1m"): newest,
        ("BINANCE:ETHUSDT", "1m"): newest,
        ("BINANCE:SOLUSDT", "1m"): newest,
        ("BINANCE:XRPUSDT", "1m"): newest - 7 * MINUTE,
    }


def _signal(
    memory: Memory, index: int, *, seen: bool = True, computed: bool = False, **given: object
) -> None:
    ts = FIRST + (BARS - 4 - 15 * (15 - index)) * MINUTE
    close = ts + MINUTE
    enters = index % 2 == 0
    signal = make_signal(
        strategy_id="momentum-1m",
        ts=ts,
        action="enter_long" if enters else "exit_long",
        score=0.62 if enters else None,
        ref_price=96_400.0,
        computed_at=close + timedelta(milliseconds=900),
        **given,
    )
    available = close + timedelta(seconds=1.2 + index % 4 * 0.4)
    published: PublishedSignal = as_published((signal, available))
    memory.signals.append(published)
    memory.evaluations.append(
        PublishRun(
            strategy_id="momentum-1m",
            timeframe="1m",
            ts=ts,
            evaluated_at=available,
            pairs_evaluated=2,
            signals=1,
        )
    )
    if not seen:
        return
    refused = index % 5 == 4
    row = make_execution(
        signal,
        consumer_id="bot-1",
        state=ExecutionState.REFUSED if refused else ExecutionState.FILLED,
        reason="no_slot" if refused else None,
        available_at=available,
        seen_at=available + timedelta(seconds=0.7),
        accepted_at=None if refused else available + timedelta(seconds=0.8),
        ordered_at=None if refused else available + timedelta(seconds=1.1),
        filled_at=None if refused else available + timedelta(seconds=2.6),
        price=None if refused else 96_412.5,
        amount=None if refused else 0.0125,
        slippage=None if refused else 0.00013,
        trade_id=None if refused else index + 1,
        order_ids=() if refused else (f"order-{index}",),
    )
    memory.executions.append(row)
    if not refused:
        memory.filled.append(
            Fill(
                consumer_id="bot-1",
                strategy_id="momentum-1m",
                pair="BTC/USDT",
                order_id=f"order-{index}",
                trade_id=index + 1,
                signal_id=signal.signal_id,
                side="buy" if enters else "sell",
                purpose="entry" if enters else "exit",
                amount=0.0125,
                price=96_412.5,
                ordered_at=available + SECOND,
                filled_at=available + timedelta(seconds=2.6),
                dry_run=True,
            )
        )


def _around(memory: Memory) -> None:
    for process, instance, age in (
        ("ingestion", "main", 2),
        ("research", "momentum-1m", 4),
        ("executor", "bot-1", 1),
        ("gateway", "main", 3),
        ("account", "paper", 400),
    ):
        memory.beats.append(
            Heartbeat(
                process=process,
                instance=instance,
                at=NOW - age * SECOND,
                started_at=NOW - timedelta(hours=30),
                version="0.1.0",
            )
        )
    held = {"consumer_id": "bot-1", "strategy_id": "momentum-1m", "at": NOW - 3 * SECOND, "dry_run": True}
    memory.held = [
        Holding(
            pair="BTC/USDT",
            side="long",
            amount=0.0125,
            stake=1_205.0,
            entry_price=96_412.5,
            stop_price=93_520.1,
            trade_id=15,
            signal_id=memory.signals[-2].signal_id,
            opened_at=NOW - timedelta(minutes=34),
            **held,
        ),
        Holding(pair="SOL/USDT", side="long", amount=3.5, stake=700.0, entry_price=201.07, **held),
        Holding(pair="ETH/USDT", side="flat", **held),
    ]
    memory.balance = [
        Balance(
            consumer_id="bot-1",
            currency="USDT",
            total=10_412.07,
            free=8_507.0,
            at=NOW - 3 * SECOND,
            dry_run=True,
        )
    ]
    memory.gaps = [
        Gap(
            symbol="BINANCE:XRPUSDT",
            timeframe="1m",
            start=FIRST + 30 * MINUTE,
            end=FIRST + 37 * MINUTE,
            state=GapState.RETRYING,
            attempts=3,
            first_seen=FIRST + 40 * MINUTE,
            last_attempt=NOW - MINUTE,
            source="ingest gaps",
            note=HOSTILE[:190],
        )
    ]
    control = Control(
        scope="pair:XRP/USDT",
        source="monitor",
        kind=ControlKind.BLOCK,
        reason=HOSTILE,
        at=NOW - 12 * MINUTE,
        by="monitor/main",
    )
    memory.control_rows[control.key] = control


def with_account(memory: Memory) -> None:
    memory.snapshots = [
        AccountSnapshot(
            account="paper",
            venue="binance",
            quote="USDT",
            asked_at=NOW - 6 * SECOND,
            at=NOW - 5 * SECOND,
            markets=("spot",),
            balances=(
                AccountBalance(market="spot", currency="BTC", total=0.0125, free=0.0125, worth=1_205.4),
                AccountBalance(market="spot", currency="USDT", total=8_507.0, free=8_507.0, worth=8_507.0),
            ),
            unknown=(UnknownPart(market="spot", part="fills", reason="the venue answered 503"),),
        )
    ]


def _wrong(scene: Scene) -> None:
    momentum, revert, made, quiet = STRATEGIES
    newest = FIRST + (BARS - 1) * MINUTE
    scene.board.put_overview(
        (
            status_of(
                momentum,
                last_run=newest,
                last_signal=newest - 3 * MINUTE,
                recent_signals=4,
                worst_publish_delay_seconds=2.4,
            ),
            status_of(revert, last_run=newest, worst_publish_delay_seconds=48.0, recent_signals=1),
            status_of(made),
            status_of(quiet, silent=True, last_run=NOW - 15 * MINUTE),
        ),
        (),
    )
    silent = critical(
        "signal_missing",
        "quiet-one",
        message="expected an evaluation of quiet-one at every bar of 1m, but the last was for the bar of "
        "2026-01-05T12:15:00+00:00",
        action="see whether its research worker runs, and whether its bars arrive (candle_stale)",
    )
    orphan = critical(
        "position_mismatch",
        "SOL/USDT #9",
        kind="trade_without_signal",
        message=f"trade 9 of SOL/USDT is open, but no signal asked for it; {HOSTILE}",
        action="compare the bot's /api/v1/status with the ledger (`executions`) before trading on",
    )
    scene.find("signal_missing", silent)
    scene.find("position_mismatch", orphan)
    scene.find("heartbeat_lost", error="expected an answer from the bus within 3 s, found none")
    key = ("position_mismatch", orphan.kind, orphan.subject)
    scene.memory.recorded = [
        RecordedFinding(
            check=key[0],
            kind=key[1],
            subject=key[2],
            severity="critical",
            message=orphan.message,
            action=orphan.action,
            finding_id=finding_id(*key),
            episode=1,
            first_seen=NOW - 22 * MINUTE,
            last_seen=NOW,
        ),
        RecordedFinding(
            check="candle_stale",
            kind="candle_stale",
            subject="BINANCE:BTCUSDT 1m",
            severity="critical",
            message="expected bars",
            action="look",
            finding_id=finding_id("candle_stale", "candle_stale", "BINANCE:BTCUSDT 1m"),
            episode=1,
            first_seen=NOW - timedelta(hours=7),
            last_seen=NOW - timedelta(hours=6),
            resolved_at=NOW - timedelta(hours=6),
        ),
    ]
