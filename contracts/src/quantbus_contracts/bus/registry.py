"""The declarations that a bus knows, so that publishing need not ask for them each time."""

import time
from collections.abc import Callable, Iterable

from quantbus_contracts.mongo.steps import Steps
from quantbus_contracts.mongo.strategies import standing
from quantbus_contracts.schema import Declaration

__all__ = ["Registry"]

_MAX_AGE_SECONDS = 30.0


class Registry:
    """Declarations by strategy id, remembered for a while.

    An old one does no harm: the audit's head tells which version is in force at each write, and the writer then holds
    the rows against that. The age bounds how long a row without a symbol is completed from a former declaration.
    """

    def __init__(
        self, *, max_age_seconds: float = _MAX_AGE_SECONDS, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Remember declarations for ``max_age_seconds``."""
        self._max_age_seconds = max_age_seconds
        self._monotonic = monotonic
        self._known: dict[str, tuple[float, Declaration]] = {}

    def look_up(self, strategy_ids: Iterable[str]) -> Steps[dict[str, Declaration]]:
        """Return the declarations of those strategies that have one; ask only for what is not remembered."""
        now = self._monotonic()
        found: dict[str, Declaration] = {}
        unknown: list[str] = []
        for strategy_id in strategy_ids:
            since, declaration = self._known.get(strategy_id, (float("-inf"), None))
            if declaration is not None and now - since <= self._max_age_seconds:
                found[strategy_id] = declaration
            else:
                unknown.append(strategy_id)
        if unknown:
            fetched = yield from standing(unknown)
            for declaration in fetched.values():
                self.note(declaration)
            found |= fetched
        return found

    def note(self, declaration: Declaration) -> None:
        """Remember a declaration as of now."""
        self._known[declaration.strategy.strategy_id] = (self._monotonic(), declaration)

    def forget(self, strategy_id: str) -> None:
        """Ask again next time."""
        self._known.pop(strategy_id, None)
