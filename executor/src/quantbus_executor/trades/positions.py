"""Freqtrade's trades as positions of the policy, with what is kept in a trade's custom data.

Two things are kept there because they must survive a restart without the bus: which signal opened the trade, and
an exit that was read once (it stands until flat).
"""

from collections.abc import Iterable, Mapping
from datetime import datetime

from quantbus_contracts.policy import Decision, Position, Reason, StandingExit
from quantbus_contracts.schema import Execution
from quantbus_executor.trades.book import TradeRecord
from quantbus_executor.trades.tags import signal_of_entry_tag

__all__ = ["ENTRY_KEY", "EXIT_KEY", "Positions"]

ENTRY_KEY = "quantbus_entry"
EXIT_KEY = "quantbus_exit"

_TradeKey = tuple[int, datetime]
"""Number and opening time: SQLite gives the number of a deleted trade to the next one."""
_NO_VERSION = 0


class Positions:
    """Reads and keeps what belongs to open trades. Custom data is read once per trade and process."""

    def __init__(self) -> None:
        """Know nothing yet."""
        self._opened_by: dict[_TradeKey, datetime | None] = {}
        self._exits: dict[_TradeKey, StandingExit | None] = {}

    def of(self, trade: TradeRecord) -> Position:
        """Return the position that a trade is."""
        signal_id = signal_of_entry_tag(trade.enter_tag)
        return Position(
            side="short" if trade.is_short else "long",
            opened_at=trade.open_date_utc,
            signal_id=signal_id,
            ts=self._bar_of_entry(trade) if signal_id is not None else None,
            standing_exit=self._standing_exit(trade),
        )

    def keep_entry(self, trade: TradeRecord, row: Execution) -> None:
        """Note with the trade which signal, of which bar, opened it."""
        trade.set_custom_data(
            ENTRY_KEY, {"signal_id": row.signal_id, "version": row.version, "ts": row.ts.isoformat()}
        )
        self._opened_by[_key(trade)] = row.ts

    def keep_exit(self, trade: TradeRecord, decision: Decision) -> StandingExit:
        """Note with the trade that it is to be left; the first exit read stands."""
        standing = self._standing_exit(trade)
        if standing is not None:
            return standing
        if decision.signal_id is None or decision.version is None or decision.reason is None:
            raise ValueError(f"expected an exit with its signal and reason, found {decision!r}")
        standing = StandingExit(decision.signal_id, decision.version, decision.reason)
        trade.set_custom_data(
            EXIT_KEY,
            {
                "signal_id": standing.signal_id,
                "version": standing.version,
                "reason": standing.reason.value,
            },
        )
        self._exits[_key(trade)] = standing
        return standing

    def forget_all_but(self, trades: Iterable[TradeRecord]) -> None:
        """Drop what is remembered of trades that are no longer open."""
        kept = {_key(trade) for trade in trades}
        for memory in (self._opened_by, self._exits):
            for gone in memory.keys() - kept:
                del memory[gone]

    def _bar_of_entry(self, trade: TradeRecord) -> datetime | None:
        known = self._opened_by.get(_key(trade))
        if known is None:  # asked again while unknown: it is written once the entry has filled
            known = _moment(trade.get_custom_data(ENTRY_KEY), "ts")
            self._opened_by[_key(trade)] = known
        return known

    def _standing_exit(self, trade: TradeRecord) -> StandingExit | None:
        key = _key(trade)
        if key not in self._exits:
            self._exits[key] = _exit_of(trade.get_custom_data(EXIT_KEY))
        return self._exits[key]


def _key(trade: TradeRecord) -> _TradeKey:
    return trade.id, trade.open_date_utc


def _moment(kept: object, key: str) -> datetime | None:
    if not isinstance(kept, Mapping) or key not in kept:
        return None
    try:
        moment = datetime.fromisoformat(str(kept[key]))
    except ValueError:  # words of another version: as good as not known
        return None
    return moment if moment.tzinfo is not None else None


def _exit_of(kept: object) -> StandingExit | None:
    if not isinstance(kept, Mapping):
        return None
    # Whatever of it another version wrote differently: that the trade is to be left stands all the same.
    try:
        reason = Reason(kept["reason"])
    except (KeyError, ValueError):
        reason = Reason.EXIT_SIGNAL
    version = kept.get("version")
    return StandingExit(
        str(kept.get("signal_id", "")), version if isinstance(version, int) else _NO_VERSION, reason
    )
