"""Why a signal was, or was not, acted upon: one closed list for the ledger, the bot and backtests."""

from enum import StrEnum

__all__ = ["RESTRAINTS", "Reason", "final_reason"]


class Reason(StrEnum):
    """Every word that may stand in the ``reason`` of a decision or of a ledger row."""

    # the bound that ended the time in which an entry may be made
    EXPIRED = "expired"
    """``valid_until`` has passed."""
    STALE = "stale"
    """More bars have closed since than the backward tolerance allows."""
    MAX_DELAY = "max_delay"
    """Older than the configured greatest age, counted from the close of its bar."""
    MAX_AGE = "max_age"
    """Older than the configured greatest age, counted from when the bus had it."""
    OLD_EXIT = "old_exit"
    """An exit past its time, where the chosen policy is not to act on old exits."""

    MISSED = "missed"
    """It came while nobody looked, where the chosen catch-up policy is not to act on such signals."""

    # what is wrong with the signal itself
    NOT_CLOSED = "not_closed"
    """Its bar is not closed yet by the database's clock; it is waited for."""
    FUTURE_STAMPED = "future_stamped"
    """It stood on the bus before its bar closed, so it cannot have been computed from the whole bar."""
    ORIGIN_BACKFILL = "origin_backfill"
    """Written after the fact; never trades."""
    ORIGIN_REPLAY = "origin_replay"
    """Belongs to a replay, and this is no replay database."""
    SPOT_SHORT = "spot_short"
    """Asks for a short position where none can be held."""
    BELOW_THRESHOLD = "below_threshold"
    """Its score asks for nothing here."""
    BELOW_FUSE = "below_fuse"
    """Its confidence is below the fuse."""
    NO_CONFIDENCE = "no_confidence"
    """It carries no score, where the chosen policy is not to enter without one."""

    # what is in the way
    IN_POSITION = "in_position"
    """The position that it asks for is already held."""
    NOTHING_TO_EXIT = "nothing_to_exit"
    """It ends a position that is not held."""
    DUPLICATE = "duplicate"
    """A trade already carries this signal's id."""
    SUPERSEDED = "superseded"
    """A newer signal of the same pair took its place."""
    BUS_DOWN = "bus_down"
    """The bus did not answer lately enough to enter."""
    NOT_OFFERED = "not_offered"
    """The bot asked to enter with a signal that is not the one to act upon now."""
    STAKE_INVALID = "stake_invalid"
    """No finite stake above zero came out of it."""
    STAKE_BELOW_MINIMUM = "stake_below_minimum"
    """Its stake is smaller than the least the venue takes."""
    WITHIN_BAND = "within_band"
    """The position is close enough to the weight it asks for."""

    # what restrains the pair for now
    BLOCKED = "blocked"
    """A control forbids entries."""
    HALTED = "halted"
    """A control forbids to act on any signal."""
    FLATTEN = "flatten"
    """A control ends every position, and forbids entries."""
    DENIED_BY_RISK = "denied_by_risk"
    """A risk row denies entries."""
    RISK_UNKNOWN = "risk_unknown"
    """Controls and risk rows could not be read lately enough to enter."""
    MINIMUM_HOLD = "minimum_hold"
    """The position is younger than the least time it is held."""
    COOL_DOWN = "cool_down"
    """The pair's last position ended too short a time ago."""
    FLIP_LIMIT = "flip_limit"
    """The pair was left and entered again often enough for a day."""

    # what became of the order
    ORDER_NOT_PLACED = "order_not_placed"
    """The bot agreed to enter and yet no order followed."""
    ORDER_CANCELLED = "order_cancelled"
    """The order was cancelled without a fill."""
    CLOSED_OTHERWISE = "closed_otherwise"
    """The position ended by something else (a stop, a person) before the exit's order filled."""

    # why a position is left
    EXIT_SIGNAL = "exit_signal"
    """The newest signal ends the position."""
    REVERSAL = "reversal"
    """The newest signal asks for the opposite position."""
    REVISED = "revised"
    """The very signal that opened the position was revised and now ends it."""


RESTRAINTS = frozenset(
    {
        Reason.BLOCKED,
        Reason.HALTED,
        Reason.FLATTEN,
        Reason.DENIED_BY_RISK,
        Reason.RISK_UNKNOWN,
        Reason.MINIMUM_HOLD,
        Reason.COOL_DOWN,
        Reason.FLIP_LIMIT,
    }
)
"""What a decision finds in the way and what may pass while the signal waits."""

_LASTING = RESTRAINTS | {Reason.STAKE_BELOW_MINIMUM}
"""If a signal's time ends while this is in the way, this is why nothing came of it."""

_TIME_OVER = frozenset({Reason.EXPIRED, Reason.STALE, Reason.MAX_DELAY, Reason.MAX_AGE})


def final_reason(waited_for: str | None, ended_by: Reason) -> Reason:
    """Return why nothing came of a signal that ``waited_for`` something until ``ended_by`` ended its waiting."""
    if ended_by in _TIME_OVER and waited_for in _LASTING:
        return Reason(waited_for)
    return ended_by
