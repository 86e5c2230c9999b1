"""Whose turn it is: publishers of one strategy that have met stand in line instead of trying all at once.

Each change of a strategy follows the head of its audit, so of many who try together one succeeds and the others have
worked for nothing, the more of them the longer. Whoever has met another joins the strategy's line and tries again when
it is at the head of it. The line is a hint and no lock: nobody needs it to be right, since the transaction still
decides. Who dies in it, or holds its turn for too long, drops out by the server's clock; who finds no line (an older
layout, a bus that does not answer) only waits a random while.
"""

import random
import uuid
from datetime import datetime, timedelta

from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.audit_log import MOST_ATTEMPTS, back_off
from quantbus_contracts.mongo.steps import Call, Row, Steps, pause

__all__ = ["LONGEST_WAIT_SECONDS", "Place"]

COLLECTION = "publish_turns"
LONGEST_WAIT_SECONDS = 30.0
"""How long one may stand in line; with hundreds of large batches before one, it is time to say so."""
_LEASE = timedelta(seconds=3)
"""How long a place is kept for who does not ask: several times the longest pause, or a large batch."""
_AT_ONCE = 2
"""How many at the head may try: while the first commits, the second is seldom in its way; a third often is."""
_FIRST_PACE_SECONDS = 0.012
"""How long each one ahead is thought to take, until it was seen."""
_SHORTEST_PAUSE_SECONDS, _LONGEST_PAUSE_SECONDS = 0.004, 0.5


class Place:
    """The place of one publication in its strategy's line; taken when it meets another publisher, or expects to."""

    def __init__(self, strategy_id: str, crowded: dict[str, float] | None = None) -> None:
        """Stand aside; ``crowded`` remembers where others were met, and how many seconds each then took."""
        self._strategy_id = strategy_id
        self._crowded = {} if crowded is None else crowded
        self._name = uuid.uuid4().hex
        self._meetings = 0
        self._waited = 0.0
        self._taken = self._alone = False

    @property
    def patient(self) -> bool:
        """Whether it is worth trying (again)."""
        return self._meetings < MOST_ATTEMPTS and self._waited < LONGEST_WAIT_SECONDS

    def enter(self) -> Steps[None]:
        """Return when it is our turn, where others were met the last time; else at once, without a question.

        Where all who publish again and again first try their luck, those in line never have their turn.
        """
        if self._strategy_id in self._crowded:
            yield from self._stand()
            if self._alone:
                self._crowded.pop(self._strategy_id, None)

    def wait(self) -> Steps[None]:
        """Return when it is our turn, after another publisher was first."""
        self._meetings += 1
        self._crowded.setdefault(self._strategy_id, _FIRST_PACE_SECONDS)
        yield from self._stand()
        yield back_off(self._meetings)  # whoever was first may not have ended yet

    def leave(self) -> Steps[None]:
        """Let the next one have its turn; without a word it would have it a little later."""
        if not self._taken:
            return
        self._taken = False
        try:
            yield Call(
                COLLECTION,
                "update_one",
                ({"_id": {"$eq": self._strategy_id}}, {"$pull": {"line": {"who": self._name}}}),
            )
        except (BusError, ConfigError):
            return

    def _stand(self) -> Steps[None]:
        first: tuple[int, datetime] | None = None
        try:
            while True:
                ahead, now = yield from self._ask()
                first = first or (ahead, now)
                if ahead < first[0]:
                    pace = (now - first[1]).total_seconds() / (first[0] - ahead)
                    self._crowded[self._strategy_id] = pace
                if ahead < _AT_ONCE or self._waited > LONGEST_WAIT_SECONDS:
                    return
                pace = self._crowded.get(self._strategy_id, _FIRST_PACE_SECONDS)
                seconds = _pause((ahead - _AT_ONCE) * pace)
                self._waited += seconds
                yield pause(seconds)
        except (BusError, ConfigError):
            self._taken = False

    def _ask(self) -> Steps[tuple[int, datetime]]:
        """Take our place, or keep it; return how many are ahead of us, and the server's clock."""
        row: Row = yield Call(
            COLLECTION,
            "find_one_and_update",
            ({"_id": {"$eq": self._strategy_id}}, _joining(self._strategy_id, self._name)),
            {"projection": {"line": 1}, "upsert": True, "return_document": True},
        )
        self._taken = True
        names = [place["who"] for place in row["line"]]
        self._alone = len(names) == 1
        ahead = names.index(self._name)
        return ahead, row["line"][ahead]["until"] - _LEASE


def _pause(seconds: float) -> float:
    """Return how long to wait where our turn is so far away: not quite, since those ahead may be faster."""
    longest = min(_LONGEST_PAUSE_SECONDS, max(_SHORTEST_PAUSE_SECONDS, 0.7 * seconds))
    return random.uniform(0.8 * longest, longest)  # noqa: S311  # spreads questions, keeps no secret


def _joining(strategy_id: str, name: str) -> list[Row]:
    """Return the update that drops who has not asked for long and puts, or keeps, ``name`` in line."""
    ours: Row = {"who": name, "until": {"$add": ["$$NOW", _LEASE // timedelta(milliseconds=1)]}}
    living: Row = {
        "$filter": {"input": {"$ifNull": ["$line", []]}, "cond": {"$gt": ["$$this.until", "$$NOW"]}}
    }
    kept: Row = {"$map": {"input": "$line", "in": {"$cond": [{"$eq": ["$$this.who", name]}, ours, "$$this"]}}}
    joined: Row = {"$concatArrays": ["$line", [ours]]}
    return [
        {"$set": {"strategy_id": {"$literal": strategy_id}, "line": living}},
        {"$set": {"line": {"$cond": [{"$in": [name, "$line.who"]}, kept, joined]}}},
    ]
