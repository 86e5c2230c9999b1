"""Three sides compared: each kind of disagreement is found, and what is unknown or under way is not judged."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from quantbus_contracts import PublishedSignal
from quantbus_contracts.schema import AccountMarket, AccountPart, AccountPosition, UnknownPart
from quantbus_contracts.testing import make_signal
from quantbus_services.monitor.reconciliation.kinds import KINDS
from quantbus_services.monitor.reconciliation.meaning import unexplained_entries
from quantbus_services.monitor.reconciliation.sides import BotOrder, Meant, Sides, Told
from tests.unit.services.monitor.reconciliation.worlds import (
    ENTRY,
    LONG_AGO,
    NOON,
    NOW,
    SPOT,
    SWAP,
    ago,
    balance,
    bot_fill,
    closed,
    coin,
    fill,
    holding,
    judged,
    kinds,
    money,
    order,
    row,
    trade,
    with_account,
    with_trades,
    world,
)

OTHER = make_signal(ts=NOON, pair="ETH/USDT")
LEAVE = make_signal(ts=NOON + timedelta(minutes=1), action="exit_long")


def published(sides: Sides, **given: Any) -> Sides:
    state = PublishedSignal(
        signal=LEAVE,
        version=1,
        available_at=LONG_AGO,
        valid_until=NOW,
        published_by="test",
        **given,
    )
    newest = {(LEAVE.strategy_id, LEAVE.timeframe, SPOT): state}
    return replace(sides, meant=replace(sides.meant, newest=newest))


def without_coins(sides: Sides) -> Sides:
    return with_account(sides, balances=(money(),))


def position(**given: Any) -> AccountPosition:
    fields: dict[str, Any] = {"pair": SWAP, "side": "long", "amount": 0.5, "entry_price": 100.0}
    return AccountPosition(**{**fields, **given})


PLANTED: dict[str, tuple[str, Callable[[], Sides]]] = {
    "a trade that no signal opened": (
        "trade_without_signal",
        lambda: with_trades(world(), trade(signal_id=None)),
    ),
    "a trade whose signal is not in the ledger": (
        "trade_without_signal",
        lambda: replace(world(), meant=Meant()),
    ),
    "a trade of a signal that another bot took": (
        "trade_of_another_consumer",
        lambda: replace(world(), meant=Meant(elsewhere={ENTRY.signal_id: ["bot2"]})),
    ),
    "a long where a short was meant": (
        "wrong_side",
        lambda: replace(world(), meant=Meant(rows=(row(side="enter_short"),))),
    ),
    "a trade that should have been left": ("open_against_signal", lambda: published(world())),
    "a signal that was ordered and has no trade": (
        "signal_without_trade",
        lambda: replace(
            world(),
            meant=Meant(
                rows=(row(), row(signal=OTHER, state="ordered", ordered_at=LONG_AGO, side="enter_long"))
            ),
        ),
    ),
    "two trades of one signal": (
        "duplicate_trades",
        lambda: replace(world(), book=replace(world().book, closed=(closed(signal_id=ENTRY.signal_id),))),
    ),
    "a row on the bus that says flat": (
        "books_differ",
        lambda: replace(world(), told=replace(world().told, positions=(holding(side="flat", amount=0.0),))),
    ),
    "a row on the bus of a pair that the bot does not hold": (
        "books_differ",
        lambda: replace(world(), told=replace(world().told, positions=(holding(), holding("ETH/USDT")))),
    ),
    "an account without the coins": ("account_flat", lambda: without_coins(world())),
    "an account without the position": (
        "account_flat",
        lambda: with_account(world("swap"), positions=()),
    ),
    "coins that the bot knows nothing of": (
        "account_holds_unknown",
        lambda: with_account(world(), balances=(money(), coin(), coin("ETH", 1.0, 2_000.0))),
    ),
    "a position that the bot knows nothing of": (
        "account_holds_unknown",
        lambda: with_account(world("swap"), positions=(position(), position(pair="ETH/USDT:USDT"))),
    ),
    "a hedge against the bot's own position": (
        "account_holds_unknown",
        lambda: with_account(world("swap"), positions=(position(), position(side="short"))),
    ),
    "half of the coins": (
        "amount_differs",
        lambda: with_account(world(), balances=(money(), coin(total=0.25, worth=25.0))),
    ),
    "twice the position": (
        "amount_differs",
        lambda: with_account(world("swap"), positions=(position(amount=1.0),)),
    ),
    "a short where the bot believes to be long": (
        "account_side_differs",
        lambda: with_account(world("swap"), positions=(position(side="short"),)),
    ),
    "an order that the bot does not know": (
        "order_unknown_to_bot",
        lambda: with_account(world(), orders=(order(), order(order_id="99", kind="order", price=50.0))),
    ),
    "a stop left behind by a trade that is over": (
        "order_left_open",
        lambda: replace(
            with_account(world(), orders=(order(), order(order_id="77"))),
            book=replace(world().book, closed=(closed(order_ids=("77",)),)),
        ),
    ),
    "an order that the venue does not have": (
        "order_unknown_at_venue",
        lambda: with_trades(
            world(),
            trade(
                in_flight=True,
                orders=(*trade().orders, BotOrder("13", "exit", is_open=True, placed_at=LONG_AGO)),
            ),
        ),
    ),
    "a stop that is not there": ("stop_missing", lambda: with_account(world(), orders=())),
    "a stop on the wrong side": ("stop_missing", lambda: with_account(world(), orders=(order(side="buy"),))),
    "a fill of an order that is none of the bot's": (
        "fill_unknown_to_bot",
        lambda: with_account(world(), fills=(fill(), fill(fill_id="2", order_id="98"))),
    ),
    "money that the bot does not count": (
        "balance_differs",
        lambda: with_account(world(), balances=(money(total=700.0), coin())),
    ),
    "an account that nobody reads": ("account_unknown", lambda: replace(world(), account=None)),
    "a snapshot of an hour ago": (
        "account_unknown",
        lambda: with_account(world(), at=ago(3_600), asked_at=ago(3_601)),
    ),
    "an account whose orders could not be read": (
        "account_unknown",
        lambda: with_account(
            world(), orders=(), unknown=(UnknownPart(market="spot", part="orders", reason="timeout"),)
        ),
    ),
    "an account of which the other market is read": (
        "account_unknown",
        lambda: with_account(world("swap"), markets=("spot",)),
    ),
}


@pytest.mark.parametrize("market", ["spot", "swap"])
def test_sides_that_agree_have_nothing_to_find(market: AccountMarket) -> None:
    found = judged(world(market))
    assert found.mismatches == ()
    assert (found.sides, found.account) == (3, "known")


@pytest.mark.parametrize("name", PLANTED)
def test_what_is_planted_is_found_and_nothing_else(name: str) -> None:
    kind, planted = PLANTED[name]
    assert kinds(planted()) == [kind]


def test_every_kind_is_planted_somewhere() -> None:
    told_by_the_bot = {"filled_without_trade"}
    assert {kind for kind, _ in PLANTED.values()} | told_by_the_bot == set(KINDS)


MOVING: dict[str, Callable[[Sides], Sides]] = {
    "the trade was just opened": lambda sides: with_trades(
        sides, *(replace(one, opened_at=ago(10)) for one in sides.book.trades)
    ),
    "an order of it was just filled": lambda sides: with_trades(
        sides,
        *(
            replace(one, orders=(*one.orders, BotOrder("14", "exit", is_open=False, filled_at=ago(20))))
            for one in sides.book.trades
        ),
    ),
    "an order of it is under way": lambda sides: with_trades(
        sides,
        *(
            replace(
                one,
                in_flight=True,
                orders=(*one.orders, BotOrder("14", "exit", is_open=True, placed_at=ago(1))),
            )
            for one in sides.book.trades
        ),
    ),
    "a trade of the pair was just closed": lambda sides: replace(
        sides,
        book=replace(
            sides.book,
            closed=tuple(closed(pair=pair, closed_at=ago(30)) for pair in (SPOT, SWAP, "ETH/USDT")),
        ),
    ),
    "the bot has just told of a fill": lambda sides: replace(
        sides,
        told=replace(
            sides.told,
            fills=tuple(
                bot_fill(pair=pair, order_id="5", filled_at=ago(40)) for pair in (SPOT, SWAP, "ETH/USDT")
            ),
        ),
    ),
    "the venue has just filled something": lambda sides: with_account(
        sides, fills=tuple(fill(pair, order_id="5", at=ago(50)) for pair in (SPOT, SWAP, "ETH/USDT"))
    ),
    "the picture of the pair has just changed": lambda sides: replace(
        sides, changed_at={pair: ago(5) for pair in (SPOT, SWAP, "ETH/USDT")}
    ),
}


@pytest.mark.parametrize("why", MOVING)
@pytest.mark.parametrize(
    "name",
    [
        "an account without the coins",
        "an account without the position",
        "half of the coins",
        "twice the position",
    ],
)
def test_a_pair_on_which_something_is_under_way_is_not_judged_and_not_called_explained(
    name: str, why: str
) -> None:
    kind, planted = PLANTED[name]
    found = judged(MOVING[why](planted()))
    assert kind not in [one.kind for one in found.mismatches]
    assert not found.judged(kind, planted().book.trades[0].pair)
    assert found.judged("wrong_side", SPOT)


def test_a_position_that_was_taken_after_the_account_was_read_is_not_judged() -> None:
    """The bot's book is newer than the snapshot: in between, both change."""
    sides = with_account(world(), at=ago(50), asked_at=ago(51), balances=(money(),))
    young = with_trades(sides, replace(trade(), opened_at=ago(100)))
    assert kinds(young) == []
    assert kinds(with_account(young, at=ago(1), asked_at=ago(2))) == ["account_flat"]


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("balances", "account_flat"),
        ("balances", "account_holds_unknown"),
        ("balances", "balance_differs"),
        ("orders", "stop_missing"),
        ("orders", "order_unknown_at_venue"),
        ("fills", "fill_unknown_to_bot"),
    ],
)
def test_a_part_that_is_unknown_is_neither_empty_nor_explained(part: AccountPart, kind: str) -> None:
    gap = UnknownPart(market="spot", part=part, reason="timeout")
    found = judged(with_account(world(), unknown=(gap,), **{part: ()}))
    assert [one.kind for one in found.mismatches] == ["account_unknown"]
    assert not found.judged(kind, SPOT)
    assert (found.sides, found.account) == (3, "partly")


def test_an_account_that_is_unknown_leaves_two_sides_and_explains_nothing() -> None:
    for sides in (replace(world(), account=None), with_account(world(), at=ago(90), asked_at=ago(91))):
        found = judged(sides)
        assert (found.sides, found.account) == (2, "unknown")
        assert not found.judged("account_flat", SPOT)
        assert found.judged("account_unknown", "")
        assert found.judged("trade_without_signal", SPOT)


def test_a_dry_run_has_two_sides_and_an_account_says_nothing_of_it() -> None:
    dry = without_coins(world())
    found = judged(replace(dry, book=replace(dry.book, dry_run=True)))
    assert (found.mismatches, found.sides, found.account) == ((), 2, "dry_run")
    assert found.judged("account_flat", SPOT)


def test_a_live_bot_whose_account_nobody_named_has_two_sides_and_says_so() -> None:
    found = judged(replace(world(), account_name=None, account=None))
    assert (found.mismatches, found.sides, found.account) == ((), 2, "not_named")
    assert not found.judged("account_flat", SPOT)
    assert found.judged("trade_without_signal", SPOT)


def test_fees_rests_and_the_owners_own_coins_are_no_difference() -> None:
    rests = (money(), coin(total=0.4990, worth=49.9), coin("ETH", 0.001, 2.0))
    assert kinds(with_account(world(), balances=rests)) == []
    assert kinds(with_account(world(), balances=(money(), coin(), coin("AIR", 1e9, None)))) == []
    unpriced = with_account(world(), balances=(money(), coin(worth=None), coin("ETH", 1.0, None)))
    assert not judged(unpriced).judged("account_holds_unknown", "ETH/USDT")


def test_two_trades_of_one_coin_are_held_against_the_coin() -> None:
    two = with_trades(
        world(),
        replace(trade(), amount=0.3),
        replace(trade(), trade_id=2, pair="BTC/USDC", amount=0.2, signal_id=OTHER.signal_id),
        stops_at_venue=False,
    )
    rows = Meant(rows=(row(), row(signal=OTHER, trade_id=2)))
    sides = replace(two, meant=rows, told=Told())
    assert [kind for kind in kinds(sides) if kind != "stop_missing"] == []


def test_an_entry_that_is_on_its_way_is_not_missed_yet() -> None:
    young = row(signal=OTHER, state="ordered", ordered_at=ago(59), side="enter_long")
    assert kinds(replace(world(), meant=Meant(rows=(row(), young)))) == []


def test_a_bot_that_has_told_nothing_yet_has_no_books_to_differ() -> None:
    assert kinds(replace(world(), told=Told(balances=(balance(),)))) == []


def test_the_money_is_not_compared_while_anything_moves() -> None:
    poor = with_account(world(), balances=(money(total=700.0), coin()))
    found = judged(replace(poor, changed_at={"ETH/USDT": ago(1)}))
    assert found.mismatches == ()
    assert not found.judged("balance_differs", "")


def test_somebody_who_trades_without_pause_does_not_hide_behind_it() -> None:
    strange = [fill(fill_id=str(n), order_id=f"x{n}", at=ago(20 * n)) for n in range(1, 60)]
    restless = with_account(world(), fills=(fill(), *strange))
    found = judged(replace(restless, changed_at={SPOT: ago(1)}))
    assert SPOT in found.moving
    assert {one.kind for one in found.mismatches} == {"fill_unknown_to_bot"}


def test_a_trade_of_a_database_that_was_replaced_does_not_explain_the_number_it_took_over() -> None:
    sides = with_trades(world(), trade(pair="ETH/USDT", signal_id=OTHER.signal_id))
    assert [entry.pair for entry in unexplained_entries(sides, ago(60))] == [SPOT]
