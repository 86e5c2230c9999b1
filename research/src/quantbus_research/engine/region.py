"""Teach Qlib a market that never closes.

Qlib resamples and reads quotes by the opening hours of a stock exchange, without a word: half-hourly bars made of
minutes would be thirteen a day. A region of its own, ``crypto``, has all 1,440 minutes, no lot size, no price limit.
"""

from collections.abc import Callable
from datetime import time, timedelta
from typing import Any

__all__ = ["CRYPTO", "teach_qlib_crypto"]

CRYPTO = "crypto"
_MINUTES = [time(minute // 60, minute % 60) for minute in range(1440)]


def teach_qlib_crypto() -> None:
    """Add the region to Qlib in this process; doing it again changes nothing."""
    from qlib import config
    from qlib.backtest import high_performance_ds
    from qlib.utils import time as qlib_time

    regions = config._default_region_config
    if CRYPTO in regions:
        return
    regions[CRYPTO] = {"trade_unit": None, "limit_threshold": None, "deal_price": "open"}
    qlib_time.get_min_cal = _with_all_minutes(qlib_time.get_min_cal)
    single = _without_a_last_minute(qlib_time.is_single_value)
    qlib_time.is_single_value = single
    high_performance_ds.is_single_value = single  # it holds the function by its own name


def _with_all_minutes(original: Callable[..., list[time]]) -> Callable[..., list[time]]:
    def get_min_cal(shift: int = 0, region: str = "cn") -> list[time]:
        if region != CRYPTO:
            return original(shift, region)
        return _MINUTES[-shift:] + _MINUTES[:-shift] if shift else _MINUTES

    return get_min_cal


def _without_a_last_minute(original: Callable[..., bool]) -> Callable[..., bool]:
    def is_single_value(start_time: Any, end_time: Any, freq: timedelta, region: str = "cn") -> bool:  # noqa: ANN401
        if region != CRYPTO:
            return original(start_time, end_time, freq, region)
        return bool(end_time - start_time < freq)

    return is_single_value
