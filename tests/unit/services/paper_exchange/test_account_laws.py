"""What holds of accounts whatever is done to them, in any order, at any time."""

import contextlib
import random
from collections import defaultdict
from datetime import timedelta
from decimal import Decimal
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from quantbus_services.paper_exchange.accounts.journal import MemoryJournal
from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.office import Call, Office
from quantbus_services.paper_exchange.accounts.ports import NoFaults
from quantbus_services.paper_exchange.accounts.records import ZERO, Account, Board, Fill, MarginSetting
from quantbus_services.paper_exchange.accounts.registry import AccountRequest, open_account
from quantbus_services.paper_exchange.accounts.requests import Fields, read_conditional, read_order
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.series import floor_to
from tests.unit.services.paper_exchange.account_kit import NOW, shared_venue

NAMES = ("ann", "bob")
MONEY = {"USDT": Decimal(2_000_000), "BTC": Decimal(20)}
SYMBOLS = ("BTCUSDT", "ETHUSDT")
Step = tuple[str, int]
"""What is done, and a seed for how."""

ACTIONS = ("spot", "spot", "futures", "futures", "stop", "stop", "cancel", "leverage", "wait", "wait", "wait")
SCRIPTS = st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 10**9)), min_size=8, max_size=30)
EXAMPLES = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)


class Play:
    """Two customers of one exchange who do as a script says."""

    def __init__(self, *, is_forgetful: bool = False, polls: bool = False) -> None:
        self.venue, self.clock = shared_venue()
        self.clock.set(NOW)
        self.journal = MemoryJournal()
        self.is_forgetful = is_forgetful
        self.polls = polls
        self._open()
        for name in NAMES:
            request = AccountRequest(name=name, spot=MONEY, futures={"USDT": MONEY["USDT"]})
            self.office.perform(self.venue.now_ms(), partial(self._open_account, request))

    def _open_account(self, request: AccountRequest, at: int) -> object:
        return open_account(self.ledger, request, at)

    def _open(self) -> None:
        self.ledger = Ledger(self.journal)
        self.office = Office(self.ledger, spot=self.venue.spot, futures=self.venue.futures, faults=NoFaults())

    def do(self, step: Step) -> None:
        action, seed = step
        chance = random.Random(seed)  # noqa: S311 -- a script that can be told again
        if action == "wait":
            self._wait(timedelta(seconds=chance.choice((1, 20, 61, 600, 3_600))))
            return
        name = chance.choice(NAMES)
        with contextlib.suppress(Refusal):
            self.office.perform(self.venue.now_ms(), lambda at: self._act(action, chance, name, at))
        if self.is_forgetful:
            self._open()

    def settle(self) -> None:
        self.office.perform(self.venue.now_ms(), lambda at: None)

    def _wait(self, duration: timedelta) -> None:
        if self.polls:
            for _ in range(3):
                self.clock.advance(duration / 4)
                self.settle()
            self.clock.advance(duration - 3 * (duration / 4))
        else:
            self.clock.advance(duration)
        self.settle()

    def _act(self, action: str, chance: random.Random, name: str, at_ms: int) -> None:
        account = self.ledger.accounts[name]
        key = next(key for key in self.ledger.keys.values() if key.account == name)
        symbol = chance.choice(SYMBOLS)
        if action == "cancel":
            mine = [order for order in self.ledger.open_orders() if order.account == name]
            if mine:
                self.office.trading.cancel(chance.choice(mine), at_ms)
        elif action == "leverage":
            if not account.held(symbol):
                account.settings[symbol] = MarginSetting(
                    leverage=chance.choice((1, 5, 20, 75)), is_isolated=chance.random() < 0.5
                )
                self.ledger.note(account)
        else:
            board: Board = "spot" if action == "spot" or chance.random() < 0.3 else "futures"
            fields = Fields(self._order(board, symbol, chance, is_stop=action == "stop", at_ms=at_ms))
            is_conditional = action == "stop" and board == "futures"
            request = read_conditional(fields) if is_conditional else read_order(fields, board)
            self.office.place(Call(account, key, fields, at_ms), request)

    def _order(
        self, board: Board, symbol: str, chance: random.Random, *, is_stop: bool, at_ms: int
    ) -> dict[str, str]:
        market = self.venue.spot if board == "spot" else self.venue.futures
        listing = market.listed(at_ms)[symbol]
        price = market.last_price(symbol, at_ms) * (
            1 + chance.choice((0, 0.5, 1, 1, 5, 50)) * chance.uniform(-1e-3, 1e-3)
        )
        worth = chance.choice((10, 100, 5_000, 200_000, 1_000_000, 10_000_000))
        side = chance.choice(("BUY", "SELL"))
        order = {
            "symbol": symbol,
            "side": side,
            "type": chance.choice(("LIMIT", "LIMIT", "MARKET")),
            "timeInForce": chance.choice(("GTC", "GTC", "GTC", "IOC", "FOK")),
            "quantity": f"{worth / price:.{listing.amount_decimals}f}",
            "price": f"{price:.{listing.price_decimals}f}",
        }
        if board == "futures":
            order["reduceOnly"] = chance.choice(("true", "false"))
        if is_stop:
            trigger = f"{price:.{listing.price_decimals}f}"
            order |= (
                {"type": "STOP_LOSS_LIMIT", "stopPrice": trigger}
                if board == "spot"
                else {"type": chance.choice(("STOP_MARKET", "STOP")), "triggerPrice": trigger}
            )
        return order


def fills_of(play: Play, name: str, board: Board) -> list[Fill]:
    return [fill for fill in play.ledger.fills.values() if (fill.account, fill.board) == (name, board)]


def check_spot(play: Play, account: Account) -> None:
    expected: dict[str, Decimal] = defaultdict(Decimal, MONEY)
    for fill in fills_of(play, account.name, "spot"):
        base, quote = fill.symbol.removesuffix("USDT"), "USDT"
        expected[base] += fill.side.sign * fill.amount
        expected[quote] -= fill.side.sign * fill.cost
        expected[fill.fee_asset] -= fill.fee
    locked: dict[str, Decimal] = defaultdict(Decimal)
    for order in play.ledger.open_orders("spot"):
        if order.account == account.name:
            locked[order.quote if order.side == "BUY" else order.base] += order.locked
    for asset in {*expected, *account.spot}:
        balance = account.balance(asset)
        assert balance.free >= 0, (asset, balance)
        assert balance.locked == locked[asset], (asset, balance)
        assert balance.total == expected[asset], (asset, balance)


def check_futures(play: Play, account: Account) -> None:
    incomes = [one for one in play.ledger.incomes.values() if one.account == account.name]
    assert account.wallet["USDT"] == MONEY["USDT"] + sum((one.amount for one in incomes), ZERO)
    assert account.wallet["USDT"] >= sum((one.margin for one in account.held()), ZERO) >= 0
    amounts: dict[str, Decimal] = defaultdict(Decimal)
    paid: dict[str, Decimal] = defaultdict(Decimal)
    fills = fills_of(play, account.name, "futures")
    for fill in fills:
        amounts[fill.symbol] += fill.side.sign * fill.amount
        paid[fill.symbol] += fill.side.sign * fill.cost + fill.realised
    for position in account.positions.values():
        assert position.amount == amounts[position.symbol]
        # What was paid and is not realised yet is what the position stands for.
        assert position.basis == paid[position.symbol]
        if not position.amount:
            assert (position.basis, position.margin) == (ZERO, ZERO)
    by_type = {
        kind: sum((one.amount for one in incomes if one.type == kind), ZERO)
        for kind in ("COMMISSION", "REALIZED_PNL")
    }
    assert by_type["COMMISSION"] == -sum((fill.fee for fill in fills), ZERO)
    assert by_type["REALIZED_PNL"] == sum((fill.realised for fill in fills), ZERO)


def check_orders(play: Play) -> None:
    for order in play.ledger.orders.values():
        fills = play.ledger.fills_of(order)
        assert order.filled == sum((fill.amount for fill in fills), ZERO) <= order.amount
        assert order.cost == sum((fill.cost for fill in fills), ZERO)
        if order.price and not order.client_id.startswith("autoclose"):
            assert all((fill.price - order.price) * order.side.sign <= 0 for fill in fills), order
    for fill in play.ledger.fills.values():
        if fill.is_maker:
            market = play.venue.spot if fill.board == "spot" else play.venue.futures
            opened = floor_to(60_000, fill.time_ms)
            bar = market.source.bars(fill.symbol, opened, opened + 1).bar(0)
            assert Decimal(f"{bar.low:.8f}") <= fill.price <= Decimal(f"{bar.high:.8f}"), (fill, bar)


@EXAMPLES
@given(SCRIPTS)
def test_nothing_is_lost_or_made_and_nobody_owes(script: list[Step]) -> None:
    play = Play()
    for step in script:
        play.do(step)
        for account in play.ledger.accounts.values():
            check_spot(play, account)
            check_futures(play, account)
    check_orders(play)


@EXAMPLES
@given(SCRIPTS)
def test_looking_more_often_changes_nothing(script: list[Step]) -> None:
    assert end_of(Play(), script) == end_of(Play(polls=True), script)


@EXAMPLES
@given(SCRIPTS)
def test_starting_anew_after_every_request_changes_nothing(script: list[Step]) -> None:
    assert end_of(Play(), script) == end_of(Play(is_forgetful=True), script)


@EXAMPLES
@given(SCRIPTS, st.integers(1, 10))
def test_makers_share_what_was_traded(script: list[Step], seed: int) -> None:
    play = Play()
    for step in script:
        play.do(step)
    taken: dict[tuple[str, str, int], Decimal] = defaultdict(Decimal)
    for fill in play.ledger.fills.values():
        if fill.is_maker:
            taken[fill.board, fill.symbol, fill.time_ms] += fill.amount
    for (board, symbol, time_ms), amount in taken.items():
        market = play.venue.spot if board == "spot" else play.venue.futures
        (trade,) = market.trades(symbol, time_ms, time_ms, play.venue.now_ms())
        assert amount <= Decimal(f"{trade.amount:.8f}")


def end_of(play: Play, script: list[Step]) -> dict[str, list[dict[str, object]]]:
    """Return what there is in the end; numbers are left out, since refused orders use some up."""
    for step in script:
        play.do(step)
    play.settle()
    numbers = {"number", "order", "child", "client_id"}
    accounts = [account.model_copy(deep=True) for account in play.ledger.accounts.values()]
    for account in accounts:
        account.spot = {asset: balance for asset, balance in account.spot.items() if balance.total}
        account.positions = {name: one for name, one in account.positions.items() if one.amount}
        account.settings = {}
    return {
        "accounts": [account.model_dump() for account in accounts],
        "orders": [order.model_dump(exclude=numbers) for order in play.ledger.orders.values()],
        "fills": [fill.model_dump(exclude=numbers) for fill in play.ledger.fills.values()],
    }


def test_scripts_do_something() -> None:
    kinds: dict[str, int] = defaultdict(int)
    chance = random.Random(1)  # noqa: S311 -- a script that can be told again
    for _ in range(14):
        play = Play()
        for _ in range(30):
            play.do((chance.choice(ACTIONS), chance.randrange(10**9)))
        for fill in play.ledger.fills.values():
            kinds[f"{fill.board} {'maker' if fill.is_maker else 'taker'}"] += 1
        for order in play.ledger.orders.values():
            kinds[order.status.value] += 1
            kinds["partial"] += 0 < order.filled < order.amount
    missing = {
        "spot maker", "spot taker", "futures maker", "futures taker", "FILLED", "CANCELED", "EXPIRED", "partial",
        "FINISHED",
    } - {kind for kind, count in kinds.items() if count}  # fmt: skip
    assert not missing, kinds


def test_a_request_that_fails_midway_leaves_no_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    play = Play()
    before = end_of(play, [])

    def half(at_ms: int) -> None:
        account = play.ledger.accounts["ann"]
        account.balance("USDT").free -= 5
        play.ledger.note(account)
        raise RuntimeError("halfway")

    with pytest.raises(RuntimeError, match="halfway"):
        play.office.perform(play.venue.now_ms(), half)
    assert end_of(play, []) == before
