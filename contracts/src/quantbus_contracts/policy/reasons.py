"""Why a signal was, or was not, acted upon: one closed list for the ledger, the bot and backtests."""

from enum import StrEnum

__all__ = ["Reason"]


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
