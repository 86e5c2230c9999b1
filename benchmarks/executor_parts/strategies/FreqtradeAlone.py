"""Freqtrade without a bus: enters a pair while a file of its name is there, leaves while another is.

What a loop of Freqtrade takes by itself, and nothing else: the baseline of what a bus adds.
"""

from pathlib import Path
from typing import ClassVar

from freqtrade.strategy import IStrategy
from pandas import DataFrame


class FreqtradeAlone(IStrategy):
    """Does what files say."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    startup_candle_count = 0
    process_only_new_candles = False
    minimal_roi: ClassVar[dict[str, float]] = {}
    stoploss = -0.10
    order_types: ClassVar[dict[str, str | bool]] = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Compute nothing."""
        return dataframe

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Mark the last row while there is a flag."""
        marks = [0] * len(dataframe)
        if marks and self._flag(metadata["pair"], "enter").exists():
            marks[-1] = 1
        return dataframe.assign(enter_long=marks)

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Mark nothing: see `custom_exit`."""
        return dataframe.assign(exit_long=0)

    def custom_exit(self, pair: str, *args: object, **kwargs: object) -> str | None:
        """Leave while there is a flag."""
        return "flag" if self._flag(pair, "exit").exists() else None

    def _flag(self, pair: str, action: str) -> Path:
        return Path(self.config["flags"]) / f"{pair.replace('/', '_')}.{action}"
