"""Keep a failing callback from becoming a trade: Freqtrade opens one if `confirm_trade_entry` raises."""

import logging
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

__all__ = ["fails_to"]

logger = logging.getLogger(__name__)
Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


def fails_to(fallback: Result) -> Callable[[Callable[Parameters, Result]], Callable[Parameters, Result]]:
    """Make a callback log and return ``fallback`` where it would have raised."""

    def decorate(callback: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
        @wraps(callback)
        def guarded(*args: Parameters.args, **kwargs: Parameters.kwargs) -> Result:
            try:
                return callback(*args, **kwargs)
            except Exception:
                logger.exception("%s failed; answering %r", callback.__name__, fallback)
                return fallback

        return guarded

    return decorate
