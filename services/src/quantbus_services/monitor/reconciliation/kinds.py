"""Every way in which the sides can disagree: how bad it is, whether it blocks entries, and what to do."""

from collections.abc import Mapping
from dataclasses import dataclass

from quantbus_services.monitor.findings import Severity

__all__ = ["ACCOUNT_KINDS", "KINDS", "MISMATCH_KINDS", "Kind", "Mismatch"]

_LOOK = "look at the venue's own page; "


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of mismatch."""

    severity: Severity
    blocks: bool
    """Whether it is a position that nobody can explain: no new entries until somebody does."""
    action: str
    with_account: bool = False
    """Whether it takes the account's side to see it."""


@dataclass(frozen=True, slots=True, order=True)
class Mismatch:
    """One disagreement."""

    kind: str
    pair: str
    about: str
    """What it is about, beside the pair: a trade, an order, a currency; with kind and pair its name."""
    message: str
    evidence: str = ""
    """What differs, without what moves by itself; an acknowledgement is about this."""
    strategy_id: str = ""


def _critical(action: str, *, blocks: bool = False, account: bool = False) -> Kind:
    return Kind(Severity.CRITICAL, blocks, action, account)


def _warning(action: str, *, account: bool = False) -> Kind:
    return Kind(Severity.WARNING, False, action, account)


KINDS: Mapping[str, Kind] = {
    "trade_without_signal": _critical(
        "find out who opened it; close it in Freqtrade, or acknowledge it and look after it", blocks=True
    ),
    "trade_of_another_consumer": _critical(
        "see that each bot has a database and a consumer_id of its own; close the trade or move it back",
        blocks=True,
    ),
    "wrong_side": _critical("close the trade in Freqtrade; then see the signal's life", blocks=True),
    "open_against_signal": _critical(
        "see why the exit was not made: `quantbus signals show` of the newest signal, then Freqtrade's log"
    ),
    "filled_without_trade": _critical(
        "see whether the bot's database was replaced; look at the venue for the position", blocks=True
    ),
    "signal_without_trade": _warning(
        "`quantbus executor claims` says whether an order is in doubt; then look at Freqtrade's log"
    ),
    "duplicate_trades": _critical(
        "close one of the trades; see that one database and one claims file belong to the bot", blocks=True
    ),
    "books_differ": _warning("see whether the bot reaches the bus: its outbox and its log"),
    "account_flat": _critical(
        _LOOK + "if the position is gone, close the trade in Freqtrade (/forceexit or its database)",
        blocks=True,
        account=True,
    ),
    "account_holds_unknown": _critical(
        _LOOK
        + "close the position there, or acknowledge it if it is yours; coins that you keep, such as the one that fees "
        "are paid in, belong in QUANTBUS_MONITOR_IGNORED_CURRENCIES",
        blocks=True,
        account=True,
    ),
    "amount_differs": _critical(
        _LOOK + "see its fills; bring the bot's amount and the account's together", blocks=True, account=True
    ),
    "account_side_differs": _critical(
        _LOOK + "close the position there and the trade in Freqtrade", blocks=True, account=True
    ),
    "order_unknown_to_bot": _critical(
        _LOOK + "cancel the order unless it is yours; `quantbus executor claims` lists the bot's doubts",
        account=True,
    ),
    "order_left_open": _critical(_LOOK + "cancel the order: the bot is done with it", account=True),
    "order_unknown_at_venue": _critical(
        _LOOK + "see its order history; Freqtrade's /reload_trade asks again", account=True
    ),
    "stop_missing": _critical(
        _LOOK + "lay a stop by hand if there is none; see Freqtrade's log for why it could not", account=True
    ),
    "fill_unknown_to_bot": _critical(
        "see who else trades this account: a person, another key, a liquidation", account=True
    ),
    "balance_differs": _warning(
        "deposits, withdrawals and transfers do that; Freqtrade notices within an hour", account=True
    ),
    "account_unknown": _warning("see `quantbus account once` and the account service's log", account=True),
}
"""By name: the values of the metric's label."""

MISMATCH_KINDS: tuple[str, ...] = tuple(KINDS)
ACCOUNT_KINDS: frozenset[str] = frozenset(name for name, kind in KINDS.items() if kind.with_account)
