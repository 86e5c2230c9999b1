"""The naive control of the kill tests: it orders what it has not recorded yet, and records it afterwards."""

import json
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar

from freqtrade.strategy import IStrategy
from pandas import DataFrame

from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe


class OrderThenRecord(IStrategy):  # type: ignore[misc]  # Freqtrade's classes are untyped here
    """Enters with each newest signal whose id is not in its file; the file is written once the order stands."""

    timeframe = "1m"
    minimal_roi: ClassVar[dict[str, float]] = {}
    stoploss = -0.5
    process_only_new_candles = False
    order_types: ClassVar[dict[str, str | bool]] = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }

    def bot_start(self, **kwargs: object) -> None:
        """Read what was recorded."""
        self.reader = SignalReader(connect(MongoSettings(), app="naive", timeout_seconds=2))
        self.file = Path(self.config["user_data_dir"]) / "recorded.json"
        self.recorded = set(json.loads(self.file.read_text(encoding="utf-8")) if self.file.exists() else [])
        self.wanted: dict[str, str] = {}

    def bot_loop_start(self, current_time: datetime, **kwargs: object) -> None:
        """Ask for the newest signals."""
        newest = self.reader.newest(
            "killing", Timeframe.parse("1m"), self.dp.current_whitelist(), until=current_time
        )
        self.wanted = {
            pair: one.signal_id
            for pair, one in newest.signals.items()
            if one.signal.action == "enter_long" and one.signal_id not in self.recorded
        }

    def populate_indicators(self, frame: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Compute nothing."""
        return frame

    def populate_entry_trend(self, frame: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Mark the last row if there is a signal that was not recorded."""
        signal = self.wanted.get(metadata["pair"])
        return frame.assign(enter_long=int(signal is not None), enter_tag=signal or "")

    def populate_exit_trend(self, frame: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Never leave."""
        return frame

    def order_filled(
        self, pair: str, trade: Any, order: object, current_time: datetime, **kwargs: object
    ) -> None:
        """Record the signal, now that its order stands."""
        self.recorded.add(trade.enter_tag)
        self.file.write_text(json.dumps(sorted(self.recorded)), encoding="utf-8")
