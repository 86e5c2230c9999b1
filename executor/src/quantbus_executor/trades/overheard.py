"""Listens to Freqtrade's log for the one thing it tells nobody else: why an entry that it tried came to nothing.

Freqtrade catches what the venue or its own wallet answers to an entry, logs it and goes on to the next pair; no
callback of the strategy hears of it. The exception itself travels in the log record.
"""

import logging
import re
from collections.abc import Callable

from quantbus_contracts.policy import Reason

__all__ = ["Overheard", "reason_of_failure"]

_FREQTRADE = "freqtrade.freqtradebot"
_FAILED = "Unable to create trade for %s: %s"
_UNFILLED = re.compile(
    r"order with time in force .* for (\S+) is (?:expired|rejected) by .* zero amount is fulfilled"
)
Heard = Callable[[str, Reason], None]


class Overheard(logging.Handler):
    """Tells ``heard`` of each pair whose entry failed, and why. Listens from `begin` until `end`."""

    def __init__(self, heard: Heard, source: str = _FREQTRADE) -> None:
        """Listen to the logger called ``source``, once begun."""
        super().__init__(logging.WARNING)
        self._heard = heard
        self._source = logging.getLogger(source)

    def begin(self) -> None:
        """Begin to listen."""
        self._source.addHandler(self)

    def end(self) -> None:
        """Listen no more."""
        self._source.removeHandler(self)

    def emit(self, record: logging.LogRecord) -> None:
        """Look whether a line is about an entry that failed."""
        arguments = record.args
        if record.msg == _FAILED and isinstance(arguments, tuple) and len(arguments) == 2:
            pair, failure = arguments
            if isinstance(failure, Exception):
                self._heard(str(pair), reason_of_failure(failure))
        elif found := _UNFILLED.search(str(record.msg)):
            self._heard(found[1], Reason.ORDER_REJECTED)


def reason_of_failure(failure: Exception) -> Reason:
    """Return what kept an entry from being made, by what Freqtrade raised.

    Its exceptions are known by name, since nothing here may import Freqtrade.
    """
    kinds = {kind.__name__ for kind in type(failure).__mro__}
    if "PricingError" in kinds:
        return Reason.NO_PRICE
    if "InvalidOrderException" in kinds:  # insufficient funds at the venue are one of these
        return Reason.ORDER_REJECTED
    if "ExchangeError" in kinds:
        return Reason.VENUE_ERROR
    return Reason.NO_BALANCE  # the only other one: less is free than is to be staked
