"""Reads from the bus what is to be replayed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.candle_reader import CandleReader
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.frames import candle_frame
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.mongo.strategies import StrategyStore
from quantbus_contracts.schema import PublishedSignal, Strategy
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.replay.plan import ReplayPlan
from quantbus_executor.settings import BLOCK, ExecutorSettings

__all__ = ["config_of", "declared_strategy", "load_plan"]

_LEAD_BARS = 500
"""Bars before the first in which may be traded: a real bot wants some history."""
_CONSUMER = "replay"


def declared_strategy(connection: Connection, strategy_id: str) -> Strategy:
    """Return what a strategy has declared.

    Raises
    ------
    ConfigError
        If it is unknown, or trades what cannot be replayed.
    """
    declaration = StrategyStore(connection).get(strategy_id)
    if declaration is None:
        raise ConfigError(
            f"expected a declared strategy, found no {strategy_id!r}; see `quantbus strategies list`"
        )
    strategy = declaration.strategy
    if strategy.market_type != "spot":
        raise ConfigError(
            f"expected a strategy on spot, found {strategy_id!r} on {strategy.market_type}: only spot is replayed"
        )
    return strategy


def config_of(base: Mapping[str, Any], strategy: Strategy, pairs: Sequence[str]) -> dict[str, Any]:
    """Return the bot's config with the strategy's name and pairs; all else stays as the bot has it."""
    unknown = sorted(set(pairs) - set(strategy.pairs))
    if unknown:
        raise ConfigError(f"expected pairs that the strategy declares, found {', '.join(unknown)}")
    block = {**base.get(BLOCK, {}), "strategy_id": strategy.strategy_id, "consumer_id": _CONSUMER}
    own = str(base.get("timeframe") or strategy.timeframe)
    if Timeframe.parse(own) != Timeframe.parse(strategy.timeframe):
        block["timeframe"] = strategy.timeframe
    exchange = {**base.get("exchange", {}), "pair_whitelist": list(pairs or strategy.pairs)}
    return {**base, BLOCK: block, "exchange": exchange, "timeframe": own}


def load_plan(
    connection: Connection, config: Mapping[str, Any], strategy: Strategy, start: datetime, end: datetime
) -> ReplayPlan:
    """Read candles and signals of the config's pairs; the bus is asked once for each pair.

    Raises
    ------
    ConfigError
        If candles are missing.
    """
    settings = replace(ExecutorSettings.load(config), backtest_since=start)
    timeframe = Timeframe.parse(str(config["timeframe"]))
    pairs = list(config["exchange"]["pair_whitelist"])
    return ReplayPlan(
        start=start,
        end=end,
        config=config,
        settings=settings,
        timeframe=timeframe,
        candles={pair: _candles(connection, strategy.venue, pair, timeframe, start, end) for pair in pairs},
        signals={pair: _signals(connection, settings, pair, start, end) for pair in pairs},
    )


def _candles(
    connection: Connection, venue: str, pair: str, timeframe: Timeframe, start: datetime, end: datetime
) -> pd.DataFrame:
    symbol = Instrument.from_pair(venue, pair).symbol
    begin = start - _LEAD_BARS * timeframe.delta
    frame = candle_frame(CandleReader(connection), [symbol], timeframe, begin, end)
    return frame.reset_index(level="symbol", drop=True).rename_axis("date").reset_index()


def _signals(
    connection: Connection, settings: ExecutorSettings, pair: str, start: datetime, end: datetime
) -> list[PublishedSignal]:
    """Return the signals of bars that close from ``start`` on, and that stood on the bus before ``end``."""
    begin = start - settings.timeframe.delta
    stored = SignalReader(connection).range(settings.strategy_id, settings.timeframe, pair, begin, end)
    shown = [published.as_of(end) for published in stored]
    return [published for published in shown if published is not None]
