"""A bus with many strategies, pairs and signals, as it stands on an ordinary day."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from quantbus_contracts import Heartbeat, Instrument, PublishRun, Signal, Strategy, Timeframe
from quantbus_contracts.bus import SignalBus
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.documents import execution_row, run_row, signal_row
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.schema import Candle, Execution, ExecutionState

__all__ = ["TIMEFRAME", "World", "fill_world"]

TIMEFRAME = Timeframe.parse("5m")
_CANDLES = 12


@dataclass(frozen=True, slots=True)
class World:
    """What was laid out, and names to ask pages for."""

    strategies: int
    pairs: int
    signals: int
    strategy_id: str
    signal_id: str
    symbol: str


def fill_world(
    connection: Connection,
    *,
    strategies: int,
    pairs: int,
    each: int,
    bars: int,
    tick: Callable[[str], None],
) -> World:
    """Let ``strategies`` have ``each`` signals of the last ``bars`` over ``pairs`` pairs, half of them traded."""
    newest = TIMEFRAME.last_closed(connection.server_now())
    names = tuple(f"C{number:04}/USDT" for number in range(pairs))
    bus = SignalBus(connection)
    for number in range(strategies):
        tick(f"strategy {number + 1} of {strategies}")
        own = _pairs_of(number, names, each // bars + 1)
        strategy = Strategy(
            strategy_id=f"s{number:03}", venue="BINANCE", timeframe=TIMEFRAME.name, pairs=own, cadence_bars=1
        )
        bus.declare(strategy)
        said = list(_signals(strategy, newest, each))
        _store(connection, strategy, said, newest)
    _fill_candles(connection, names, newest, _CANDLES, tick)
    first = next(_signals(strategy, newest, each))
    return World(
        strategies, pairs, strategies * each, strategy.strategy_id, first.signal_id, _symbol(names[0])
    )


def _fill_candles(
    connection: Connection, names: tuple[str, ...], newest: datetime, bars: int, tick: Callable[[str], None]
) -> None:
    """Write the last bars of every pair, and let the processes have given a sign of life."""
    for start in range(0, len(names), 100):
        tick(f"bars of pairs from {start} on")
        CandleWriter(connection).write(
            [
                _candle(_symbol(name), newest - index * TIMEFRAME.delta)
                for name in names[start : start + 100]
                for index in range(bars)
            ]
        )
    now = connection.server_now()
    for process, instance in (("ingestion", "live"), ("executor", "bot"), ("gateway", "main")):
        HeartbeatStore(connection).beat(
            Heartbeat(process=process, instance=instance, at=now, started_at=now, version="1", detail={})
        )


def _pairs_of(number: int, names: tuple[str, ...], size: int) -> tuple[str, ...]:
    begin = number * size % len(names)
    return (names + names)[begin : begin + min(size, len(names))]


def _signals(strategy: Strategy, newest: datetime, each: int) -> Iterator[Signal]:
    for number in range(each):
        pair = strategy.pairs[number % len(strategy.pairs)]
        ts = newest - (number // len(strategy.pairs)) * TIMEFRAME.delta
        yield Signal(
            strategy_id=strategy.strategy_id,
            symbol=_symbol(pair),
            pair=pair,
            timeframe=TIMEFRAME.name,
            ts=ts,
            action="enter_long",
            score=0.5,
            ref_price=100.0,
            computed_at=TIMEFRAME.close_of(ts) + timedelta(seconds=1),
        )


def _store(connection: Connection, strategy: Strategy, said: list[Signal], newest: datetime) -> None:
    """Write signals as published in their time, behind the bus's back, which stamps what it takes with its clock."""
    at = {signal.signal_id: TIMEFRAME.close_of(signal.ts) + timedelta(seconds=2) for signal in said}
    stored = connection.client[connection.names.of("crypto_signals")]
    stored["crypto_signals"].insert_many(
        [
            {
                **signal_row(
                    signal,
                    signal_id=signal.signal_id,
                    content_hash=signal.content_hash,
                    valid_until=signal.ts + 4 * TIMEFRAME.delta,
                    publisher="bench",
                    batch_id="bench",
                ),
                "version": 1,
                "available_at": at[signal.signal_id],
                "history": [],
            }
            for signal in said
        ],
        ordered=False,
    )
    bars = sorted({signal.ts for signal in said} | {newest})
    size = len(strategy.pairs)
    stored["publish_runs"].insert_many(
        [
            run_row(
                PublishRun(
                    strategy_id=strategy.strategy_id,
                    timeframe=TIMEFRAME.name,
                    ts=bar,
                    evaluated_at=TIMEFRAME.close_of(bar) + timedelta(seconds=1),
                    pairs_evaluated=size,
                    signals=0,
                )
            )
            for bar in bars
        ],
        ordered=False,
    )
    ledger = connection.client[connection.names.of("executions")]["executions"]
    ledger.insert_many(
        [execution_row(_execution(signal, at[signal.signal_id])) for signal in said], ordered=False
    )


def _execution(signal: Signal, available_at: datetime) -> Execution:
    traded = signal.ts.minute % 2 == 0
    seen = available_at + timedelta(seconds=0.5)
    return Execution(
        consumer_id="bot",
        signal_id=signal.signal_id,
        strategy_id=signal.strategy_id,
        pair=signal.pair,
        timeframe=signal.timeframe,
        ts=signal.ts,
        version=1,
        state=ExecutionState.FILLED if traded else ExecutionState.REFUSED,
        reason=None if traded else "no_slot",
        available_at=available_at,
        seen_at=seen,
        ordered_at=seen + timedelta(seconds=1) if traded else None,
        filled_at=seen + timedelta(seconds=2) if traded else None,
        slippage=0.0005 if traded else None,
    )


def _candle(symbol: str, opened: datetime) -> Candle:
    return Candle(
        symbol=symbol,
        timeframe=TIMEFRAME.name,
        open_time=opened,
        open=100.0,
        high=102.0,
        low=99.0,
        close=101.0,
        volume=5.0,
        source="bench",
    )


def _symbol(pair: str) -> str:
    return Instrument.from_pair("BINANCE", pair).symbol
