"""Whether the account holds what the bot believes; pure."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

from quantbus_contracts.schema import AccountBalance, AccountSnapshot
from quantbus_services.monitor.reconciliation.kinds import Mismatch
from quantbus_services.monitor.reconciliation.sides import OpenTrade, Sides, base_of, market_of

__all__ = ["Tolerance", "against_the_account"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What is no difference: fees taken from what was bought, rests that no order can sell."""

    share: float = 0.005
    worth: float = 10.0
    """In the account's quote currency."""
    balance_share: float = 0.01
    ignored_currencies: frozenset[str] = frozenset()
    """That are the account owner's own affair, such as a currency that fees are paid in."""


def against_the_account(
    sides: Sides, account: AccountSnapshot, moving: frozenset[str], tolerance: Tolerance
) -> Iterator[Mismatch]:
    """Yield where the bot's open trades and the account's holdings differ, on pairs that are not ``moving``."""
    if sides.book.market == "swap":
        if account.knows("swap", "positions"):
            yield from _swaps(sides, account, moving, tolerance)
    elif account.knows("spot", "balances"):
        yield from _coins(sides, account, moving, tolerance)
    if account.knows(sides.book.market, "balances") and not moving:
        yield from _money(sides, account, tolerance)


def _swaps(
    sides: Sides, account: AccountSnapshot, moving: frozenset[str], tolerance: Tolerance
) -> Iterator[Mismatch]:
    held: defaultdict[tuple[str, str], float] = defaultdict(float)
    for position in account.positions:
        held[position.pair, position.side] += position.amount
    believed: defaultdict[tuple[str, str], list[OpenTrade]] = defaultdict(list)
    for trade in sides.book.trades:
        if market_of(trade.pair) == "swap":
            believed[trade.pair, trade.direction].append(trade)
    for pair in sorted({pair for pair, _ in (*held, *believed)} - moving):
        turned = [
            (side, opposite)
            for side, opposite in (("long", "short"), ("short", "long"))
            if believed.get((pair, side))
            and not held.get((pair, side))
            and held.get((pair, opposite))
            and not believed.get((pair, opposite))
        ]
        for side, opposite in turned:
            yield _turned(pair, side, believed[pair, side], held[pair, opposite])
        if not turned:
            for side in ("long", "short"):
                there = held.get((pair, side), 0.0)
                yield from _compared(pair, side, believed.get((pair, side), []), there, 0.0, tolerance)


def _turned(pair: str, side: str, trades: list[OpenTrade], other: float) -> Mismatch:
    opposite = "short" if side == "long" else "long"
    return Mismatch(
        "account_side_differs",
        pair,
        _names(trades),
        f"the bot believes to be {side} on {pair}, but the account is {opposite} by {other:.8g}",
        f"bot {side}, account {opposite} {other:.4g}",
    )


def _coins(
    sides: Sides, account: AccountSnapshot, moving: frozenset[str], tolerance: Tolerance
) -> Iterator[Mismatch]:
    stake = sides.book.stake_currency
    busy = {base_of(pair) for pair in moving}
    held = {one.currency: one for one in account.balances if one.market == "spot"}
    believed: defaultdict[str, list[OpenTrade]] = defaultdict(list)
    for trade in sides.book.trades:
        believed[base_of(trade.pair)].append(trade)
    for currency in sorted((held.keys() | believed.keys()) - {stake} - tolerance.ignored_currencies - busy):
        trades = believed.get(currency, [])
        one = held.get(currency)
        if not trades and one is not None and one.worth is None:
            continue  # without a price it cannot be told from a rest, and is left undecided
        pair = trades[0].pair if trades else f"{currency}/{stake}"
        yield from _compared(pair, "long", trades, one.total if one else 0.0, _price(one), tolerance)


def _price(one: AccountBalance | None) -> float:
    return one.worth / one.total if one is not None and one.worth and one.total else 0.0


def _compared(
    pair: str, side: str, trades: list[OpenTrade], there: float, price: float, tolerance: Tolerance
) -> Iterator[Mismatch]:
    believed = sum(trade.amount for trade in trades)
    difference = abs(there - believed)
    if difference <= tolerance.share * believed or (price and difference * price <= tolerance.worth):
        return
    told = f"bot {believed:.4g} {side}, account {there:.4g}"
    if not trades:
        yield Mismatch(
            "account_holds_unknown",
            pair,
            side,
            f"the account holds {there:.8g} {base_of(pair)} {side}, but the bot has no trade on {pair}",
            told,
        )
    elif there <= tolerance.share * believed or (price and there * price <= tolerance.worth):
        yield Mismatch(
            "account_flat",
            pair,
            _names(trades),
            f"the bot believes to hold {believed:.8g} {base_of(pair)} {side}, but the account holds {there:.8g}",
            told,
        )
    else:
        yield Mismatch(
            "amount_differs",
            pair,
            _names(trades),
            f"the bot believes to hold {believed:.8g} {base_of(pair)} {side}, but the account holds {there:.8g}: more "
            "than fees and rests explain",
            told,
        )


def _names(trades: list[OpenTrade]) -> str:
    return " ".join(f"#{trade.trade_id}" for trade in sorted(trades, key=lambda trade: trade.trade_id))


def _money(sides: Sides, account: AccountSnapshot, tolerance: Tolerance) -> Iterator[Mismatch]:
    """Compare the stake currency; a swap's wallet moves with what its positions gain and lose."""
    stake, market = sides.book.stake_currency, sides.book.market
    believed = next(
        (row.total for row in sides.told.balances if row.currency == stake and not row.dry_run), None
    )
    if believed is None:
        return
    there = sum(one.total for one in account.balances if (one.market, one.currency) == (market, stake))
    moves = sum(held.amount * (held.entry_price or 0.0) for held in account.positions) * 0.1
    if abs(there - believed) > max(tolerance.balance_share * abs(believed) + moves, tolerance.worth):
        yield Mismatch(
            "balance_differs",
            "",
            stake,
            f"the bot counts {believed:,.2f} {stake}, but the account has {there:,.2f}",
            f"bot {believed:.3g}, account {there:.3g}",
        )
