"""Sends the letters of one kind to the bus: in batches, the oldest first, none of them holding up the others."""

import logging
from collections.abc import Callable, Collection, Sequence
from typing import Generic, TypeVar

from pydantic import BaseModel

from quantbus_contracts.errors import BusUnavailable, ConfigError, QuantbusError
from quantbus_executor.ledger.outbox import Letter, Outbox

__all__ = ["Sender"]

logger = logging.getLogger(__name__)
_BATCH = 500
_MOST_QUESTIONS = 10  # enough to narrow a full batch down to the one row that is refused
Row = TypeVar("Row", bound=BaseModel)


class Sender(Generic[Row]):
    """Knows how to read letters of one kind, and who takes them."""

    def __init__(
        self, outbox: Outbox, kind: str, read: Callable[[str], Row], record: Callable[[Sequence[Row]], None]
    ) -> None:
        """Send through ``record`` what ``read`` makes of the letters of ``kind``."""
        self._outbox = outbox
        self._kind = kind
        self._read = read
        self._record = record

    def flush(self, *, keep: Collection[str] = ()) -> bool:
        """Send what the bus has not taken yet; return whether all of it was taken or dropped as refused.

        Letters with a key in ``keep`` stay in the outbox as sent. At most a few questions are asked, since the bot's
        loop waits for them; the rest goes with the next loop.
        """
        size = _BATCH
        for _ in range(_MOST_QUESTIONS):
            batch = self._outbox.oldest(self._kind, size)
            if not batch:
                return True
            try:
                self._record([row for letter in batch if (row := self._opened(letter)) is not None])
            except BusUnavailable as error:
                logger.debug("%d %s rows wait for the bus: %s", self._waiting, self._kind, error)
                return False
            except ConfigError as error:  # a person can mend it, so nothing is dropped
                logger.warning(
                    "%d %s rows wait until the bot may write them: %s", self._waiting, self._kind, error
                )
                return False
            except QuantbusError as error:
                if len(batch) > 1:
                    size = len(batch) // 2  # one refused row must not hold up the others for ever
                    continue
                logger.error("the bus refuses %s %s (dropped): %s", self._kind, batch[0].key, error)
            self._outbox.sent(batch, keep=keep)
            size = _BATCH
        return self._waiting == 0

    @property
    def _waiting(self) -> int:
        return self._outbox.unsent(self._kind)

    def _opened(self, letter: Letter) -> Row | None:
        try:
            return self._read(letter.body)
        except ValueError as error:  # written by another version
            logger.error("the outbox holds an unreadable %s %s (dropped): %s", self._kind, letter.key, error)
            return None
