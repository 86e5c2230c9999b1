"""Why a signal was, or was not, acted upon: one closed list for the ledger, the bot and backtests.

Each word stands here with what it means and what a person can do about it; screens and the documentation are made
from this list, and from nothing else.
"""

from enum import StrEnum
from typing import Self

__all__ = ["LASTING", "RESTRAINTS", "Reason", "final_reason"]


class Reason(StrEnum):
    """Every word that may stand in the ``reason`` of a decision or of a ledger row.

    ``meaning`` goes on after "It did not act:", ``remedy`` says what to do; it is empty where nothing is wrong.
    """

    meaning: str
    remedy: str

    def __new__(cls, word: str, meaning: str = "", remedy: str = "") -> Self:
        """Make a word with what it means."""
        made = str.__new__(cls, word)
        made._value_ = word
        made.meaning = meaning
        made.remedy = remedy
        return made

    # the bound that ended the time in which an entry may be made
    EXPIRED = (
        "expired",
        "its valid_until had passed",
        "Publish sooner after the bar's close, or with a later valid_until.",
    )
    STALE = (
        "stale",
        "more bars had closed since than the bot tolerates",
        "Publish sooner, or raise rules.tolerance_bars.",
    )
    MAX_DELAY = (
        "max_delay",
        "too much time had passed since its bar closed",
        "Publish sooner, or raise rules.max_delay_seconds.",
    )
    MAX_AGE = (
        "max_age",
        "too much time had passed since the bus had it",
        "Look why the bot came late to it, or raise rules.max_age_seconds.",
    )
    OLD_EXIT = (
        "old_exit",
        "it was an exit past its time, and the bot's policy is not to act on old exits",
        "Close the position by hand if it is still open, or set rules.act_on_old_exits.",
    )
    MISSED = (
        "missed",
        "it came while the bot did not look, and its policy is not to act on such signals",
        "Choose rules.catch_up if_valid to act on what is still in time after a downtime.",
    )

    # what is wrong with the signal itself
    NOT_CLOSED = (
        "not_closed",
        "its bar was not closed yet by the database's clock",
        "Wait; if it lasts, compare the publisher's clock with the database's.",
    )
    FUTURE_STAMPED = (
        "future_stamped",
        "it stood on the bus before its bar had closed, so it cannot know the whole bar",
        "Stamp signals with the open time of the bar they were computed from, and publish after its close.",
    )
    ORIGIN_BACKFILL = (
        "origin_backfill",
        "it was written after the fact (origin backfill), and such rows never trade",
        "Publish with origin live what is meant to trade.",
    )
    ORIGIN_REPLAY = (
        "origin_replay",
        "it belongs to a replay, and this is no replay database",
        "Set rules.replay_database for a bot on a replay database, and for no other.",
    )
    SPOT_SHORT = (
        "spot_short",
        "it asked for a short position where none can be held",
        "Trade futures to hold shorts; on spot, publish exit_long to be flat.",
    )
    BELOW_THRESHOLD = (
        "below_threshold",
        "its score asked for nothing at the bot's thresholds",
        "Nothing is wrong; the thresholds are rules.score_entry and rules.score_exit.",
    )
    BELOW_FUSE = (
        "below_fuse",
        "its confidence was below the bot's fuse",
        "Nothing is wrong; the fuse is rules.confidence.fuse_below.",
    )
    NO_CONFIDENCE = (
        "no_confidence",
        "it carried no score, and the bot's policy is not to enter without one",
        "Publish a score beside the action, or set rules.confidence.fail_open.",
    )

    # what was in the way
    IN_POSITION = (
        "in_position",
        "the position it asked for was already held",
    )
    NOTHING_TO_EXIT = (
        "nothing_to_exit",
        "it ended a position that was not held",
    )
    DUPLICATE = (
        "duplicate",
        "a trade already carried its id",
    )
    SUPERSEDED = (
        "superseded",
        "a newer signal of the pair took its place",
    )
    BUS_DOWN = (
        "bus_down",
        "the bus had not answered lately enough to enter",
        "Look after the bus: `quantbus bus status`.",
    )
    NOT_OFFERED = (
        "not_offered",
        "the bot asked to enter with a signal that was not the one to act upon",
        "Enter by hand with the tag force_entry, not with a signal's id.",
    )
    STAKE_INVALID = (
        "stake_invalid",
        "no finite stake above zero came out",
        "Look at stake_amount, the balance, and what scales the stake: weight, confidence, `quantbus risk`.",
    )
    STAKE_BELOW_MINIMUM = (
        "stake_below_minimum",
        "its stake was smaller than the least the venue takes",
        "Raise the stake, or the weight, or what scales it down.",
    )
    WITHIN_BAND = (
        "within_band",
        "the position was close enough to the weight it asked for",
    )

    # what Freqtrade itself refuses, without a word to the strategy
    OUT_OF_WHITELIST = (
        "out_of_whitelist",
        "its pair is not in the bot's whitelist",
        "Add the pair to exchange.pair_whitelist, or look which pairlist filter dropped it.",
    )
    NO_SLOT = (
        "no_slot",
        "as many trades were open as max_open_trades allows",
        "Raise max_open_trades, or publish exits sooner.",
    )
    LOCKED = (
        "locked",
        "Freqtrade had locked the pair: until the candle ends after an exit, by a protection, or by a person",
        "Wait for the next candle, or list the locks with Freqtrade's /locks.",
    )
    NO_BALANCE = (
        "no_balance",
        "the free balance was smaller than the stake",
        "Add funds, lower stake_amount, or set amend_last_stake_amount.",
    )
    NO_CANDLES = (
        "no_candles",
        "Freqtrade had no candles of the pair",
        "Look in the bot's log why its candles cannot be loaded.",
    )
    STALE_CANDLES = (
        "stale_candles",
        "the pair's newest candle was so old that Freqtrade enters nothing (exits go on)",
        "Look whether the venue still trades the pair, and why its candles stopped.",
    )
    NO_PRICE = (
        "no_price",
        "no price could be had to enter at",
        "Look in the bot's log what the venue answered.",
    )
    VENUE_ERROR = (
        "venue_error",
        "the venue answered with an error when Freqtrade asked what it needs to enter",
        "Look in the bot's log what the venue answered.",
    )
    DEPTH_OF_MARKET = (
        "depth_of_market",
        "Freqtrade's check_depth_of_market did not let it in",
        "Change entry_pricing.check_depth_of_market if that was not meant.",
    )
    PAUSED = (
        "paused",
        "Freqtrade did not try to enter, as it does while entries are paused (/pause, /stopentry)",
        "Let the bot enter again with /start.",
    )
    UNRESOLVED = (
        "unresolved",
        "it was unknown whether an earlier order of the pair was at the venue",
        "Look at the venue; `quantbus executor claims` says what is asked, `quantbus executor settle` ends it.",
    )
    NO_LEASE = (
        "no_lease",
        "another bot held the account, or the bus could not say that this one does",
        "Let one bot trade an account; the bot's log names the other one.",
    )
    NO_CLAIM = (
        "no_claim",
        "the bot's claims file could not be read or written, and nothing is ordered without a claim",
        "Look in the bot's log what failed, and at the disk that the file is on.",
    )

    # what restrained the pair for a while
    BLOCKED = (
        "blocked",
        "a control forbade entries",
        "See `quantbus controls list`; lift it if it is over.",
    )
    HALTED = (
        "halted",
        "a control forbade to act on any signal",
        "See `quantbus controls list`; lift it if it is over.",
    )
    FLATTEN = (
        "flatten",
        "a control ended every position and forbade entries",
        "See `quantbus controls list`; lift it if it is over.",
    )
    DENIED_BY_RISK = (
        "denied_by_risk",
        "a risk row denied entries",
        "See `quantbus risk list`; clear it if it is over.",
    )
    RISK_UNKNOWN = (
        "risk_unknown",
        "controls and risk rows could not be read lately enough to enter",
        "Look after the bus: `quantbus bus status`; restraints.when_unreadable decides what happens then.",
    )
    MINIMUM_HOLD = (
        "minimum_hold",
        "the position was younger than the least time the bot holds one",
        "Nothing is wrong; the time is rules.debounce.minimum_hold_seconds.",
    )
    COOL_DOWN = (
        "cool_down",
        "the pair's last position had ended too short a time before",
        "Nothing is wrong; the time is rules.debounce.cool_down_seconds.",
    )
    FLIP_LIMIT = (
        "flip_limit",
        "the pair had been left and entered again often enough for a day",
        "Nothing is wrong; the limit is rules.debounce.flips_per_day.",
    )

    STOP_CROSSED = (
        "stop_crossed",
        "the market was at its stop_price already, or beyond it",
        "Publish a stop_price below the market for a long, above it for a short.",
    )

    # what became of the order
    ORDER_REJECTED = (
        "order_rejected",
        "the venue refused the order",
        "Look in the bot's log what the venue answered.",
    )
    ORDER_NOT_PLACED = (
        "order_not_placed",
        "the bot agreed to enter, and yet no order followed",
        "Look in the bot's log at that time.",
    )
    ORDER_CANCELLED = (
        "order_cancelled",
        "the order was cancelled without a fill",
        "Let orders wait longer (unfilledtimeout), or enter at the market.",
    )
    CLOSED_OTHERWISE = (
        "closed_otherwise",
        "the position ended by something else before the exit's order filled",
    )

    # why a position was left
    EXIT_SIGNAL = (
        "exit_signal",
        "the signal ended the position",
    )
    REVERSAL = (
        "reversal",
        "the signal asked for the opposite position",
    )
    REVISED = (
        "revised",
        "the signal that had opened the position was revised and ended it",
    )
    RESIZED = (
        "resized",
        "the position was brought to the weight that the signal asked for",
    )


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
        Reason.UNRESOLVED,
        Reason.NO_LEASE,
        Reason.NO_CLAIM,
    }
)
"""What a decision finds in the way and what may pass while the signal waits."""

LASTING = RESTRAINTS | {
    Reason.STOP_CROSSED,
    Reason.WITHIN_BAND,
    Reason.STAKE_INVALID,
    Reason.STAKE_BELOW_MINIMUM,
    Reason.BUS_DOWN,
    Reason.OUT_OF_WHITELIST,
    Reason.NO_SLOT,
    Reason.LOCKED,
    Reason.NO_BALANCE,
    Reason.NO_CANDLES,
    Reason.STALE_CANDLES,
    Reason.NO_PRICE,
    Reason.VENUE_ERROR,
    Reason.DEPTH_OF_MARKET,
    Reason.PAUSED,
}
"""If a signal's time ends while this is in the way, this is why nothing came of it."""

_TIME_OVER = frozenset({Reason.EXPIRED, Reason.STALE, Reason.MAX_DELAY, Reason.MAX_AGE})


def final_reason(waited_for: str | None, ended_by: Reason) -> Reason:
    """Return why nothing came of a signal that ``waited_for`` something until ``ended_by`` ended its waiting."""
    if (ended_by in _TIME_OVER or ended_by is Reason.IN_POSITION) and waited_for in LASTING:
        return Reason(waited_for)
    return ended_by
