"""Exactly once under trouble of several kinds at a time: a disk, a clock, a venue that answers for some pairs only."""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import VenueError
from quantbus_contracts.policy import TradingRules
from quantbus_contracts.schema import Execution, ExecutionState
from quantbus_contracts.testing import FrozenClock
from quantbus_executor.claims.claim import Claim, ClaimState, Wish
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.cli import app
from tests.unit.executor.account import AccountRig
from tests.unit.executor.rig import MINUTE, PAIR, PAIRS, SECOND

OTHER = PAIRS[1]
BEFORE_THE_ORDER = "after the claim, before the order"
BEFORE_THE_TRADE = "after the venue has the order, before the trade is noted"


@pytest.fixture
def rig(tmp_path: Path) -> AccountRig:
    return AccountRig(tmp_path)


def claimed(rig: AccountRig, pair: str, signal_id: str, **given: Any) -> None:
    """Claim an order as a bot does that dies before anything else."""
    assert rig.register is not None
    known: dict[str, Any] = {"signal_id": signal_id, "version": 1, "pair": pair, "side": "long"}
    known |= {"amount": 1.0, "rate": 100.0}
    assert rig.register.claim(Wish(**(known | given)), rig.clock.now())


def state_of(rig: AccountRig, signal_id: str) -> ClaimState:
    assert rig.register is not None
    claim = rig.register.get(signal_id)
    assert claim is not None
    return claim.state


def test_a_reader_that_holds_the_file_too_long_costs_one_claim_and_not_all_that_follow(
    tmp_path: Path,
) -> None:
    register = ClaimRegister(tmp_path / "claims.sqlite")
    register._file.execute("PRAGMA busy_timeout = 20")
    now = FrozenClock().now()
    known: dict[str, Any] = {"version": 1, "pair": PAIR, "side": "long", "amount": 1.0, "rate": 1.0}
    register.claim(Wish(signal_id="c" * 32, **known), now)
    reader = sqlite3.connect(tmp_path / "claims.sqlite", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM claims").fetchall()
    with pytest.raises(sqlite3.OperationalError, match="locked"):
        register.claim(Wish(signal_id="a" * 32, **known), now)
    reader.execute("COMMIT")
    reader.close()
    assert register.get("a" * 32) is None, "what is not on the disk was not claimed"
    assert register.claim(Wish(signal_id="b" * 32, **known), now)
    assert register.get("b" * 32) is not None


def test_a_claims_file_that_cannot_be_used_is_named_as_what_is_in_the_way(rig: AccountRig) -> None:
    assert rig.register is not None
    published = rig.publish()
    rig.register._file.execute("PRAGMA query_only = 1")
    rig.run(3)
    assert rig.entries() == []
    assert rig.fate(published) == ("seen", "no_claim")
    rig.register._file.execute("PRAGMA query_only = 0")
    rig.run(3)
    assert rig.fate(published) == ("filled", None)


def test_an_order_that_cannot_be_adopted_keeps_no_other_pair_waiting(
    rig: AccountRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rig.venue is not None
    claimed(rig, PAIR, "a" * 32)
    rig.venue.place(PAIR, "buy", 1.0)
    rig.clock.advance(SECOND)
    claimed(rig, OTHER, "b" * 32)

    def fail(claim: Claim, order: Mapping[str, Any]) -> int | None:
        raise RuntimeError("Freqtrade's database takes no more")

    monkeypatch.setattr(rig.venue, "adopt", fail)
    rig.start()
    rig.run(60)
    assert state_of(rig, "b" * 32) is ClaimState.RELEASED
    assert state_of(rig, "a" * 32) is ClaimState.OPEN
    assert rig.venue.asked < 20, "it is not asked in each loop"
    rig.run(900)
    assert state_of(rig, "a" * 32) is ClaimState.UNKNOWN, "a person hears of it in the end"


def test_a_pair_about_which_the_venue_says_nothing_keeps_no_other_pair_waiting(
    rig: AccountRig, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert rig.venue is not None
    claimed(rig, PAIR, "a" * 32)
    rig.clock.advance(SECOND)
    claimed(rig, OTHER, "b" * 32)
    answers = rig.venue.orders_since

    def answer(pair: str, since: datetime) -> Sequence[Mapping[str, Any]]:
        if pair == PAIR:
            raise VenueError("no such pair any more")
        return answers(pair, since)

    monkeypatch.setattr(rig.venue, "orders_since", answer)
    rig.start()
    rig.run(60)
    assert (state_of(rig, "a" * 32), state_of(rig, "b" * 32)) == (ClaimState.OPEN, ClaimState.RELEASED)


def test_a_bot_that_was_down_for_long_gives_the_venue_as_much_time_as_any(rig: AccountRig) -> None:
    assert rig.venue is not None
    published = rig.publish(valid_until=rig.clock.now() + timedelta(days=1))
    rig.venue.dies_at = BEFORE_THE_TRADE
    rig.run(2)
    rig.clock.advance(timedelta(hours=2))
    rig.start()
    rig.venue.down = True
    rig.run(10)
    assert state_of(rig, published.signal_id) is ClaimState.OPEN
    rig.venue.down = False
    rig.run(30)
    assert rig.fate(published) == ("filled", None)
    assert len(rig.venue.orders) == 1


@pytest.mark.parametrize("step", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_a_clock_that_was_wrong_at_the_claim_lets_no_order_be_sent_again(
    rig: AccountRig, step: timedelta
) -> None:
    """The venue's clock is right, and says another time than the claim."""
    assert rig.venue is not None
    published = rig.publish(valid_until=rig.clock.now() + timedelta(days=1))
    rig.venue.dies_at = BEFORE_THE_TRADE
    rig.run(2)
    rig.venue.orders[-1]["timestamp"] += step.total_seconds() * 1_000
    rig.run(60)
    assert len(rig.venue.orders) == 1
    assert rig.fate(published) == ("unknown", "unresolved")


def test_a_claim_from_a_clock_that_was_ahead_is_asked_about_all_the_same(rig: AccountRig) -> None:
    assert rig.venue is not None
    claimed(rig, PAIR, "a" * 32)
    rig.venue.place(PAIR, "buy", 1.0)
    order = rig.venue.orders[-1]
    rig.clock.advance(timedelta(hours=-3))
    order["timestamp"] = rig.clock.now().timestamp() * 1_000
    rig.start()
    rig.run(60)
    assert state_of(rig, "a" * 32) is ClaimState.UNKNOWN


def test_an_old_order_that_filled_nothing_casts_no_doubt(rig: AccountRig) -> None:
    assert rig.venue is not None
    rig.venue.place(PAIR, "buy", 1.0, status="canceled")
    rig.clock.advance(timedelta(minutes=10))
    published = rig.publish()
    rig.venue.dies_at = BEFORE_THE_ORDER
    rig.run(60)
    assert rig.fate(published) == ("filled", None)


def test_what_a_person_says_to_have_been_ordered_is_not_told_to_have_had_no_order(rig: AccountRig) -> None:
    assert rig.venue is not None
    assert rig.register is not None
    published = rig.publish()
    rig.venue.dies_at = BEFORE_THE_ORDER
    rig.venue.mute = True
    rig.run(30)
    assert rig.fate(published) == ("unknown", "unresolved")
    given = ["settle", str(rig.register.path), published.signal_id, "--as", "ordered"]
    assert CliRunner().invoke(app, given).exit_code == 0
    rig.run(90)
    assert rig.fate(published) == ("unknown", "unresolved"), "nobody but that person knows what became of it"
    assert rig.register.blocking(PAIR) is None
    assert rig.venue.orders == []


def test_an_increase_in_doubt_is_in_no_final_state_before_the_venue_has_said(rig: AccountRig) -> None:
    entry = rig.publish()
    rig.run(2)
    (trade,) = rig.book.trades
    claimed(rig, PAIR, entry.signal_id, version=2, trade_id=trade.id, amount=0.5)
    row = rig.journal.row(entry.signal_id)
    assert row is not None
    changes = {"version": 2, "state": ExecutionState.ACCEPTED, "reason": "resized", "trade_id": trade.id}
    rig.journal.put(Execution(**{**row.model_dump(), **changes, "accepted_at": rig.clock.now()}))
    rig.journal.flush()
    rig.start()
    states = set()
    for _ in range(15):
        rig.run(1)
        states.add(rig.fate(entry)[0])
    assert states == {"accepted"}


def test_an_order_in_doubt_is_not_refused_because_the_signals_time_ends(rig: AccountRig) -> None:
    """Killed after the claim and before the ledger had it: the row still says that the signal was seen."""
    assert rig.venue is not None
    published = rig.publish()
    rig.venue.dies_at = BEFORE_THE_TRADE
    rig.venue.down = True
    states = set()
    for _ in range(200):
        rig.run(1)
        states.add(rig.fate(published))
    assert states == {("seen", None), ("accepted", None)}
    rig.venue.down = False
    rig.run(20)
    assert rig.fate(published) == ("filled", None)


@pytest.mark.parametrize("live", [True, False], ids=["account", "dry run"])
def test_an_increase_that_surely_was_not_ordered_is_made_while_it_is_in_time(
    tmp_path: Path, live: bool
) -> None:
    rig = AccountRig(tmp_path, live=live, rules=TradingRules(drift_band=0.02, tolerance_bars=5))
    rig.publish(None, weight=0.3)
    rig.run(2)
    rig.clock.advance(MINUTE)
    more = rig.publish(None, weight=0.5)
    rig.places_orders = False
    rig.run(1)
    rig.places_orders = True
    assert rig.fate(more)[0] == "accepted"
    rig.start()
    rig.run(60)
    (trade,) = rig.book.trades
    assert trade.stake_amount == pytest.approx(500.0)
    assert rig.fate(more) == ("filled", "resized")


def test_an_increase_that_is_never_ordered_is_given_up(tmp_path: Path) -> None:
    rig = AccountRig(tmp_path, rules=TradingRules(drift_band=0.02, tolerance_bars=50, max_delay=60 * MINUTE))
    rig.publish(None, weight=0.3)
    rig.run(2)
    rig.clock.advance(MINUTE)
    more = rig.publish(None, weight=0.5, valid_until=rig.clock.now() + 60 * MINUTE)
    rig.places_orders = False
    rig.run(120)
    assert rig.fate(more) == ("rejected", "order_not_placed")
    assert len(rig.changes) == 0
    assert rig.register is not None
    claim = rig.register.get(f"{more.signal_id}:1")
    assert claim is not None
    assert claim.attempts == 3


def test_a_clock_that_is_set_back_makes_no_lease_longer(tmp_path: Path) -> None:
    rig = AccountRig(tmp_path)
    rig.run(1)
    rig.leases.down = True
    rig.clock.advance(timedelta(hours=-1))
    assert rig.claims is not None
    assert rig.claims.detail()["lease_held"] is False
    rig.leases.down = False
    rig.run(1)
    assert rig.claims.detail()["lease_held"] is True


def test_a_dry_run_whose_clock_is_set_back_holds_no_pair_up_for_as_long(tmp_path: Path) -> None:
    rig = AccountRig(tmp_path, live=False)
    claimed(rig, PAIR, "a" * 32)
    rig.clock.advance(timedelta(hours=-3))
    rig.run(1)
    assert state_of(rig, "a" * 32) is ClaimState.RELEASED
