"""What a bot would run with: its config over tuned parameters over the strategy's class over Freqtrade's defaults."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from math import isfinite
from pathlib import Path
from typing import Any

from quantbus_contracts.errors import QuantbusError
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.checking.strategy_file import StrategyFile
from quantbus_executor.settings import ExecutorSettings

__all__ = ["BotPlan"]

# what Freqtrade 2026.9 takes where neither config nor strategy say anything, as far as the checks ask
_DEFAULTS: Mapping[str, Any] = {
    "minimal_roi": {"0": 10.0},
    "trailing_stop": False,
    "use_exit_signal": True,
    "exit_profit_only": False,
    "process_only_new_candles": True,
    "ignore_buying_expired_candle_after": 0,
    "max_open_trades": -1,
    "trading_mode": "spot",
    "initial_state": "stopped",
    "tradable_balance_ratio": 0.99,
    "dry_run_wallet": 1000,
    "can_short": False,
    "cancel_open_orders_on_exit": False,
    "order_types": {"entry": "limit", "exit": "limit", "stoploss": "limit", "stoploss_on_exchange": False},
}
_THROTTLE_SECONDS, _LONGEST_SECONDS = 5.0, 1e9


@dataclass(frozen=True, slots=True, kw_only=True)
class BotPlan:
    """All that the checks look at; what is on the bus comes beside it."""

    config: Mapping[str, Any]
    files: Sequence[Path] = ()
    strategy: StrategyFile | None = None
    settings: ExecutorSettings | None = None

    def value(self, key: str) -> object:
        """Return what the bot would go by: Freqtrade lets the config win over the strategy."""
        sources: list[Mapping[str, Any]] = [self.config]
        if self.strategy is not None:
            sources += [self.strategy.tuned, self.strategy.attributes]
        for source in sources:
            if source.get(key) is not None:
                return source[key]
        return _DEFAULTS.get(key)

    def number(self, key: str) -> float | None:
        """Return a value that ought to be a number; None where it is none."""
        return _as_number(self.value(key))

    def block(self, key: str) -> Mapping[str, Any]:
        """Return a block of the config; empty where there is none."""
        block = self.config.get(key)
        return block if isinstance(block, Mapping) else {}

    @property
    def is_live(self) -> bool:
        """Whether real orders would be sent."""
        return self.config.get("dry_run") is False

    @property
    def is_futures(self) -> bool:
        """Whether derivatives would be traded."""
        return bool(self.value("trading_mode") == "futures")

    @property
    def pairs(self) -> tuple[str, ...]:
        """The whitelist of the config."""
        listed = self.block("exchange").get("pair_whitelist")
        return tuple(str(pair) for pair in listed) if isinstance(listed, list) else ()

    @property
    def timeframe(self) -> Timeframe | None:
        """The bot's own bars; None where Freqtrade could not read them either."""
        try:
            return Timeframe.parse(str(self.value("timeframe")))
        except QuantbusError:
            return None

    @property
    def order_types(self) -> Mapping[str, Any]:
        """How orders are sent."""
        types = self.value("order_types")
        return types if isinstance(types, Mapping) else {}

    @property
    def loop(self) -> timedelta:
        """Least time from one look at the bus to the next."""
        seconds = _as_number(self.block("internals").get("process_throttle_secs"))
        return timedelta(seconds=_THROTTLE_SECONDS if seconds is None else min(seconds, _LONGEST_SECONDS))

    @property
    def slots(self) -> float:
        """How many trades may be open at a time."""
        asked = self.number("max_open_trades")
        return float("inf") if asked is None or asked < 0 else asked


def _as_number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
        return None
    return float(value)
