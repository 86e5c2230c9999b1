"""What a day's fills brought, and what is held; pure. Fees and funding are not on the bus, so they are in no figure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from quantbus_contracts.schema import Fill, Holding
from quantbus_services.monitor.daily.report import Held, Profit

__all__ = ["held_by", "profits_of"]

_ROUNDING = 1e-6
"""Share of a fill that may be left over: amounts are sums of floating-point numbers."""
_Trade = tuple[str, str, int]


@dataclass(slots=True)
class _Position:
    """What is known to be open of one trade: its amount, and what was paid for it on average."""

    amount: float = 0.0
    price: float = 0.0

    def enter(self, fill: Fill) -> None:
        whole = self.amount + fill.amount
        self.price = (self.amount * self.price + fill.amount * fill.price) / whole
        self.amount = whole

    def leave(self, fill: Fill) -> float | None:
        """Return what the exit brought; None where more was left than is known to have been entered."""
        if fill.amount > self.amount * (1 + _ROUNDING):
            self.amount = 0.0
            return None
        self.amount = max(0.0, self.amount - fill.amount)
        change = fill.price - self.price
        return fill.amount * (change if fill.side == "sell" else -change)


@dataclass(slots=True)
class _Sum:
    realised: float = 0.0
    exits: int = 0
    unknown: int = 0
    turnover: float = 0.0


def profits_of(fills: Sequence[Fill], before: Sequence[Fill]) -> dict[str, tuple[Profit, ...]]:
    """Return by strategy what trades brought in each quote currency, entries at their average price."""
    positions: dict[_Trade, _Position] = defaultdict(_Position)
    for fill in sorted(before, key=lambda item: item.filled_at):
        _take(positions, fill)
    sums: dict[str, dict[str, _Sum]] = defaultdict(lambda: defaultdict(_Sum))
    for fill in sorted(fills, key=lambda item: item.filled_at):
        own = sums[fill.strategy_id][_currency(fill.pair)]
        own.turnover += fill.amount * fill.price
        brought = _take(positions, fill)
        if fill.purpose == "entry":
            continue
        own.exits += 1
        if brought is None:
            own.unknown += 1
        else:
            own.realised += brought
    return {
        strategy_id: tuple(
            Profit(
                currency=currency,
                realised=own.realised,
                exits=own.exits,
                unknown_exits=own.unknown,
                turnover=own.turnover,
            )
            for currency, own in sorted(by_currency.items())
        )
        for strategy_id, by_currency in sums.items()
    }


def _take(positions: dict[_Trade, _Position], fill: Fill) -> float | None:
    position = positions[fill.consumer_id, fill.pair, fill.trade_id]
    if fill.purpose == "entry":
        position.enter(fill)
        return None
    return position.leave(fill)


def held_by(
    holdings: Iterable[Holding], closes: Mapping[tuple[str, str], float]
) -> dict[str, tuple[Held, ...]]:
    """Return by strategy what is held, at the newest closes; without one its worth is not known."""
    found: dict[str, list[Held]] = defaultdict(list)
    for holding in holdings:
        if holding.side == "flat":
            continue
        last = closes.get((holding.strategy_id, holding.pair))
        sign = 1 if holding.side == "long" else -1
        change = (
            None
            if last is None or holding.entry_price is None
            else sign * holding.amount * (last - holding.entry_price)
        )
        found[holding.strategy_id].append(
            Held(
                consumer_id=holding.consumer_id,
                pair=holding.pair,
                side=holding.side,
                amount=holding.amount,
                currency=_currency(holding.pair),
                entry_price=holding.entry_price,
                last_price=last,
                worth=None if last is None else sign * holding.amount * last,
                unrealised=change,
                opened_at=holding.opened_at,
            )
        )
    return {strategy_id: tuple(items) for strategy_id, items in found.items()}


def _currency(pair: str) -> str:
    return pair.partition("/")[2].partition(":")[0]
