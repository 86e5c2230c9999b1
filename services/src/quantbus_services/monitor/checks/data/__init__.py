"""Checks of bars and where they come from."""

from quantbus_services.monitor.checks.data.candle_gap import CandleGap
from quantbus_services.monitor.checks.data.candle_stale import CandleStale
from quantbus_services.monitor.checks.data.exchange_limited import ExchangeLimited

__all__ = ["CandleGap", "CandleStale", "ExchangeLimited"]
