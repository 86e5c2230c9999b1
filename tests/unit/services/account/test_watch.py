"""A look at the account: what could not be read is written as unknown, never as empty."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry

from quantbus_contracts.errors import BusUnavailable, ConfigError, VenueError, VenueRefused, VenueUnavailable
from quantbus_contracts.schema import (
    AccountBalance,
    AccountFill,
    AccountMarket,
    AccountOrder,
    AccountPosition,
    AccountSnapshot,
)
from quantbus_contracts.testing import FrozenClock
from quantbus_services.account.metrics import AccountMetrics
from quantbus_services.account.rights import KeyRights
from quantbus_services.account.settings import AccountSettings
from quantbus_services.account.watch import Look, Watch

COIN = AccountBalance(market="spot", currency="BTC", total=1.0, free=1.0)
ORDER = AccountOrder(pair="ETH/USDT", order_id="1", side="buy", kind="order", amount=1.0)


class Venue:
    """Answers what it is given; ``failing`` says which questions fail, how often and how."""

    venue = "binance"

    def __init__(self) -> None:
        self.failing: dict[str, list[VenueError]] = {}
        self.asked: list[str] = []
        self.key = KeyRights(can_withdraw=False, can_trade=False)
        self.pairs: list[str] = []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.failing.get(what):
            raise self.failing[what].pop(0)

    async def meet(self) -> None:
        self._ask("meet")

    async def rights(self) -> KeyRights:
        self._ask("rights")
        return self.key

    async def balances(self, market: AccountMarket) -> list[AccountBalance]:
        self._ask("balances")
        return [COIN]

    async def positions(self) -> list[AccountPosition]:
        self._ask("positions")
        return []

    async def orders(self, market: AccountMarket) -> list[AccountOrder]:
        self._ask("orders")
        return [ORDER]

    async def fills(self, pairs: Sequence[str], since: datetime) -> list[AccountFill]:
        self._ask("fills")
        self.pairs = list(pairs)
        return []

    async def prices(self, currencies: Sequence[str], quote: str) -> dict[str, float]:
        self._ask("prices")
        return {"BTC": 100.0}

    def lists(self, pair: str) -> bool:
        return not pair.startswith("OLD")


class Bus:
    """Takes snapshots; ``down`` makes it not answer."""

    def __init__(self) -> None:
        self.clock = FrozenClock()
        self.taken: list[AccountSnapshot] = []
        self.beats = 0
        self.down = False

    async def now(self) -> datetime:
        if self.down:
            raise BusUnavailable("the bus is down (fake)")
        return self.clock.now()

    async def add(self, snapshot: AccountSnapshot) -> None:
        self.taken.append(snapshot)

    async def beat(self, now: datetime, snapshot: AccountSnapshot | None) -> None:
        self.beats += 1


class Rig:
    """A watch with everything around it."""

    def __init__(self, **given: object) -> None:
        self.venue = Venue()
        self.bus = Bus()
        self.pauses: list[float] = []
        self.registry = CollectorRegistry()
        look = Look(self.bus.now, self.bus.add, self.bus.beat)
        settings = AccountSettings(**given)  # type: ignore[arg-type]
        metrics = AccountMetrics(self.registry)
        self.watch = Watch(self.venue, look, settings, metrics, random=lambda: 1.0, sleep=self._sleep)

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)

    async def look(self) -> AccountSnapshot:
        snapshot = await self.watch.once()
        assert snapshot is not None
        return snapshot


def lost(kind: str = "timeout") -> VenueUnavailable:
    return VenueUnavailable("no answer", kind=kind)


async def test_a_look_that_went_well_knows_everything_and_says_what_it_is_worth() -> None:
    rig = Rig()
    snapshot = await rig.look()
    assert snapshot.is_complete
    assert snapshot.balances[0].worth == 100.0
    assert rig.bus.taken == [snapshot]
    assert rig.venue.pairs == ["BTC/USDT", "ETH/USDT"]
    assert rig.registry.get_sample_value("quantbus_account_looks_total", {"outcome": "complete"}) == 1


@pytest.mark.parametrize("part", ["balances", "orders", "fills"])
async def test_a_part_that_is_not_answered_is_unknown_and_the_others_are_known(part: str) -> None:
    rig = Rig(attempts=3)
    rig.venue.failing[part] = [lost() for _ in range(3)]
    snapshot = await rig.look()
    assert [(gap.market, gap.part) for gap in snapshot.unknown] == [("spot", part)]
    assert snapshot.knows("spot", "orders") == (part != "orders")
    assert rig.pauses == [0.25, 0.5]
    assert rig.registry.get_sample_value("quantbus_account_looks_total", {"outcome": "partial"}) == 1
    assert rig.registry.get_sample_value("quantbus_account_complete_timestamp_seconds") == 0


async def test_a_question_is_asked_again_a_few_times() -> None:
    rig = Rig(attempts=3)
    rig.venue.failing["balances"] = [lost(), lost()]
    assert (await rig.look()).is_complete


async def test_a_refused_question_is_not_asked_again() -> None:
    rig = Rig(attempts=3)
    rig.venue.failing["orders"] = [VenueRefused("no such right", kind="forbidden")]
    assert not (await rig.look()).is_complete
    assert rig.venue.asked.count("orders") == 1


async def test_a_venue_that_asks_for_quiet_is_asked_nothing_more_in_this_look() -> None:
    rig = Rig(markets=("spot", "swap"), attempts=3)
    rig.venue.failing["orders"] = [lost("rate_limited")]
    snapshot = await rig.look()
    assert rig.venue.asked == ["meet", "rights", "orders"]
    assert not any(
        snapshot.knows(market, part)
        for market in ("spot", "swap")
        for part in ("balances", "positions", "orders", "fills")
    )


async def test_a_venue_that_is_away_makes_everything_unknown() -> None:
    rig = Rig(markets=("spot", "swap"), attempts=1)
    rig.venue.failing["meet"] = [lost()]
    snapshot = await rig.look()
    assert len(snapshot.unknown) == 7
    assert (snapshot.balances, snapshot.orders) == ((), ())


async def test_a_key_that_may_withdraw_ends_the_process() -> None:
    rig = Rig()
    rig.venue.key = KeyRights(can_withdraw=True)
    with pytest.raises(ConfigError, match="withdraw"):
        await rig.watch.run()
    assert rig.bus.taken == []


async def test_what_the_key_may_do_is_asked_until_it_is_known() -> None:
    rig = Rig(attempts=1)
    rig.venue.failing["rights"] = [lost()]
    assert not (await rig.look()).is_complete
    rig.venue.key = KeyRights(can_withdraw=True)
    with pytest.raises(ConfigError):
        await rig.watch.once()


async def test_a_bus_that_is_away_gets_nothing_later() -> None:
    rig = Rig()
    rig.bus.down = True
    assert await rig.watch.once() is None
    rig.bus.down = False
    await rig.look()
    assert len(rig.bus.taken) == 1


async def test_without_prices_the_account_is_known_and_worths_are_not() -> None:
    rig = Rig()
    rig.venue.failing["prices"] = [lost()]
    snapshot = await rig.look()
    assert (snapshot.is_complete, snapshot.balances[0].worth) == (True, None)


async def test_more_rows_than_a_snapshot_takes_are_unknown_and_not_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("quantbus_services.account.watch._MOST_ROWS", 0)
    snapshot = await Rig().look()
    assert not snapshot.knows("spot", "orders")
    assert snapshot.orders == ()


async def test_a_snapshot_says_when_it_was_begun_and_ended() -> None:
    rig = Rig()
    begun = rig.bus.clock.now()
    original = rig.venue.balances

    async def slow(market: AccountMarket) -> list[AccountBalance]:
        rig.bus.clock.advance(timedelta(seconds=5))
        return await original(market)

    rig.venue.balances = slow  # type: ignore[method-assign]
    snapshot = await rig.look()
    assert (snapshot.asked_at, snapshot.at) == (begun, begun + timedelta(seconds=5))


def test_a_key_comes_from_its_variable_or_its_file_and_not_from_both(tmp_path: Path) -> None:
    key, secret = tmp_path / "key", tmp_path / "secret"
    key.write_text("the-key\n")
    secret.write_text("the-secret\n")
    given = AccountSettings(key_file=key, secret_file=secret).credentials()
    assert given == {"apiKey": "the-key", "secret": "the-secret"}
    with pytest.raises(ConfigError, match="found both"):
        AccountSettings(key="x", key_file=key, secret_file=secret).credentials()
    with pytest.raises(ConfigError, match="QUANTBUS_ACCOUNT_SECRET_FILE"):
        AccountSettings(key_file=key).credentials()
