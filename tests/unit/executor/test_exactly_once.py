"""One order per signal, whatever the instant at which the process dies, and whatever the venue then says."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_executor.claims.claim import ClaimState
from tests.unit.executor.account import AccountRig, Died
from tests.unit.executor.rig import PAIR, SECOND

INSTANTS = [
    "before the claim",
    "after the claim, before the order",
    "after the venue has the order, before the trade is noted",
    "after the trade is noted",
]
ADOPTING = ["before an adopted trade is noted", "after an adopted trade is noted"]


@pytest.fixture
def rig(tmp_path: Path) -> AccountRig:
    return AccountRig(tmp_path)


def state_of(rig: AccountRig, published: Any) -> ClaimState | None:
    assert rig.register is not None
    claim = rig.register.get(published.signal_id)
    return claim.state if claim else None


@pytest.mark.parametrize("live", [True, False], ids=["account", "dry run"])
@pytest.mark.parametrize("instant", INSTANTS)
def test_a_bot_killed_at_any_instant_orders_once_and_misses_nothing(
    tmp_path: Path, instant: str, live: bool
) -> None:
    rig = AccountRig(tmp_path, live=live)
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = instant
    rig.run(60)
    assert rig.venue.has_killed, "it died"
    assert rig.entries() == [published.signal_id]
    assert len(rig.venue.orders) == (1 if live else 0)
    assert rig.fate(published) == ("filled", None)
    assert state_of(rig, published) is ClaimState.PLACED


@pytest.mark.parametrize("instant", ADOPTING)
def test_a_bot_killed_while_it_finds_out_orders_once(rig: AccountRig, instant: str) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = INSTANTS[2]
    rig.run(2)
    rig.venue.dies_at = instant
    rig.run(60)
    assert rig.venue.has_killed
    assert rig.entries() == [published.signal_id]
    assert len(rig.venue.orders) == 1
    assert rig.fate(published) == ("filled", None)


def test_a_bot_killed_again_and_again_orders_once(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    for instant in (*INSTANTS[:3], *ADOPTING, "before the claim"):
        rig.venue.dies_at = instant
        rig.run(21)
    assert rig.venue.has_killed
    assert [order["side"] for order in rig.venue.orders] == ["buy"]
    assert rig.fate(published) == ("filled", None)


def test_nothing_is_entered_in_a_pair_of_which_an_order_is_in_doubt(rig: AccountRig) -> None:
    assert rig.venue is not None
    rig.publish()
    rig.venue.dies_at = INSTANTS[2]
    rig.run(2)
    later = rig.publish(score=0.9)
    rig.run(10)
    assert rig.entries() == []
    assert rig.fate(later)[0] in ("seen", "accepted")
    assert rig.venue.asked == 0, "an order that is on its way must have had time to arrive"


def test_a_venue_that_is_away_is_asked_again_and_then_believed(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = INSTANTS[2]
    rig.venue.down = True
    rig.run(60)
    assert rig.venue.asked >= 2
    assert state_of(rig, published) is ClaimState.OPEN
    rig.venue.down = False
    rig.run(10)
    assert rig.fate(published) == ("filled", None)
    assert len(rig.venue.orders) == 1


def test_a_venue_that_never_says_leaves_the_signal_unknown_and_the_pair_blocked(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = INSTANTS[2]
    rig.venue.down = True
    rig.run(30)
    rig.clock.advance(timedelta(seconds=900))
    rig.run(12)
    assert rig.fate(published) == ("unknown", "unresolved")
    rig.venue.down = False
    later = rig.publish()
    rig.run(5)
    assert rig.fate(later) == ("seen", "unresolved")
    assert rig.entries() == []
    assert len(rig.venue.orders) == 1
    assert rig.claims is not None
    assert rig.claims.detail()["claims_unknown"] == 1


def test_a_venue_without_a_list_of_orders_is_not_taken_to_have_none(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = INSTANTS[1]
    rig.venue.mute = True
    rig.run(30)
    assert rig.fate(published) == ("unknown", "unresolved")
    assert rig.venue.orders == []


def test_an_order_that_might_be_ours_and_need_not_be_is_not_adopted(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = INSTANTS[1]
    rig.run(2)
    rig.venue.place(PAIR, "buy", 0.123)
    rig.run(30)
    assert rig.fate(published) == ("unknown", "unresolved")
    assert rig.entries() == []


def test_an_order_of_the_other_side_or_an_exit_is_nobodys_entry(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = INSTANTS[1]
    rig.run(2)
    rig.venue.place(PAIR, "sell", 1.0)
    rig.venue.place(PAIR, "buy", 1.0)
    rig.venue.orders[-1]["reduceOnly"] = True
    rig.run(30)
    assert rig.fate(published) == ("filled", None)
    assert (
        len([order for order in rig.venue.orders if not order["reduceOnly"] and order["side"] == "buy"]) == 1
    )


def test_a_position_that_a_person_opened_meanwhile_takes_no_order_of_ours(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = INSTANTS[2]
    rig.run(2)
    rig.open_trade(PAIR, "force_entry")
    rig.run(30)
    assert rig.fate(published) == ("unknown", "unresolved")


def test_an_order_that_the_venue_ended_unfilled_is_not_sent_again(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish()
    rig.status = "canceled"
    rig.venue.dies_at = INSTANTS[2]
    rig.run(40)
    assert rig.fate(published) == ("rejected", "order_cancelled")
    assert len(rig.venue.orders) == 1


def test_a_bot_killed_while_an_order_is_cancelled_does_not_order_again(rig: AccountRig) -> None:
    """Freqtrade deletes the trade of an entry that was cancelled without a fill, and remembers nothing."""
    assert rig.venue is not None
    rig.status, rig.fills_orders = "open", False
    published = rig.publish()
    rig.run(3)
    assert rig.fate(published)[0] == "ordered"
    rig.venue.orders[0]["status"] = "canceled"
    rig.book.trades.clear()
    rig.start()
    rig.status, rig.fills_orders = "closed", True
    rig.run(40)
    assert rig.fate(published) == ("rejected", "order_cancelled")
    assert len(rig.venue.orders) == 1


def test_an_order_that_the_venue_refuses_again_and_again_is_given_up(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish(valid_until=rig.clock.now() + timedelta(hours=1))
    rig.places_orders = False
    rig.run(110)
    assert rig.fate(published) == ("rejected", "order_not_placed")
    assert rig.register is not None
    claim = rig.register.get(published.signal_id)
    assert claim is not None
    assert claim.attempts == 3


def test_a_claim_outlives_everything_else_that_knows_of_it(rig: AccountRig) -> None:
    published = rig.publish()
    rig.run(2)
    rig.book.trades.clear()
    rig.ledger.rows.clear()
    rig.start()
    rig.run(30)
    assert rig.entries() == []
    assert rig.fate(published) == ("refused", "duplicate")


def test_a_claims_file_that_cannot_be_written_lets_nothing_be_ordered(rig: AccountRig) -> None:
    assert rig.register is not None
    rig.publish()
    rig.register._file.execute("PRAGMA query_only = 1")
    rig.run(3)
    assert rig.entries() == []
    assert rig.venue is not None
    assert rig.venue.orders == []


def test_a_second_bot_is_refused_the_account_and_told_who_has_it(tmp_path: Path) -> None:
    first = AccountRig(tmp_path)
    second = AccountRig.__new__(AccountRig)
    with pytest.raises(
        ConfigError, match=r"found consumer bot trading it \(host .*until .*two bots on one account"
    ):
        _share(second, first, tmp_path)


def test_a_bot_that_lost_its_account_enters_nothing_and_says_so(tmp_path: Path) -> None:
    rig = AccountRig(tmp_path)
    rig.leases.leases["main"] = rig.leases.leases["main"].model_copy(
        update={"consumer_id": "other", "holder": "other-file", "process": "other-run"}
    )
    rig.leases.leases["main"] = rig.leases.leases["main"].model_copy(
        update={"expires_at": rig.clock.now() + timedelta(hours=1)}
    )
    rig.run(1)
    published = rig.publish()
    rig.run(3)
    assert rig.entries() == []
    assert rig.fate(published) == ("seen", "no_lease")
    assert rig.claims is not None
    assert rig.claims.detail()["lease_held"] is False


def test_a_bot_that_is_started_again_has_its_account_at_once(rig: AccountRig) -> None:
    rig.start()
    published = rig.publish()
    rig.run(2)
    assert rig.entries() == [published.signal_id]


def test_a_lease_that_cannot_be_renewed_ends_here_before_it_ends_on_the_bus(rig: AccountRig) -> None:
    rig.run(1)
    rig.leases.down = True
    rig.clock.advance(25 * SECOND)
    published = rig.publish()
    rig.run(1)
    assert rig.entries() == []
    assert rig.leases.leases["main"].expires_at > rig.clock.now()
    rig.leases.down = False
    rig.run(2)
    assert rig.entries() == [published.signal_id]


def test_an_increase_is_claimed_as_well_and_adopted_into_its_trade(tmp_path: Path) -> None:
    from quantbus_executor.claims.claim import Wish

    rig = AccountRig(tmp_path)
    entry = rig.publish()
    rig.run(2)
    (trade,) = rig.book.trades
    wish = Wish(
        signal_id=entry.signal_id,
        version=2,
        pair=PAIR,
        side="long",
        amount=0.5,
        rate=100.0,
        trade_id=trade.id,
    )
    assert rig.claims is not None
    assert rig.claims.claim(wish) is None
    assert rig.claims.claim(wish) == "unresolved", "the same again, before it is known what became of it"
    assert rig.venue is not None
    rig.venue.place(PAIR, "buy", 0.5)
    rig.start()
    rig.run(40)
    assert [order.ft_order_tag for order in trade.orders] == [entry.signal_id, wish.tag]
    assert rig.claims.claim(wish) == "duplicate"


def _share(second: AccountRig, first: AccountRig, folder: Path) -> None:
    leases = first.leases

    class Sharing(AccountRig):
        def open_claims(self) -> Any:
            self.leases = leases
            return super().open_claims()

    Sharing(folder, name="second")


def test_death_is_no_error_that_a_handler_could_swallow() -> None:
    assert not issubclass(Died, Exception)
