"""Whether a position is brought to the weight that a signal wants it at, and by how much.

An increase is bound like an entry: to its interval, to controls, risk and confidence. A reduction is bound like an
exit: only a halt and an exit that stands keep it back, and it does not expire.
"""

from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.policy.catch_up import CatchUp, is_missed
from quantbus_contracts.policy.circumstances import Circumstances
from quantbus_contracts.policy.entering import entry_obstacle
from quantbus_contracts.policy.origin import origin_refusal
from quantbus_contracts.policy.position import Position
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.sizing import Resize, resize
from quantbus_contracts.schema import ControlKind, PublishedSignal

__all__ = ["Holding", "decide_resize"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """What a position is worth beside what there is; all in quote currency, as stakes (leverage divided out).

    Attributes
    ----------
    value
        What the position is worth now.
    capital
        What weights are shares of.
    minimum
        The least stake that the venue takes.
    maximum
        The most that may be added.
    least_rest
        The least that a reduction may leave.
    """

    value: float
    capital: float
    minimum: float
    maximum: float
    least_rest: float


def decide_resize(
    published: PublishedSignal,
    position: Position,
    now: datetime,
    rules: TradingRules,
    around: Circumstances,
    holding: Holding,
    *,
    scale: float = 1.0,
) -> Resize:
    """Return by how much to change a position because of the newest signal of its pair.

    ``now`` is the database's clock; ``around`` is asked without the pair's past, since debounce is about entering. A
    position that no signal opened keeps its size.
    """
    if position.standing_exit is not None or position.signal_id is None:
        return Resize()
    obstacle = entry_obstacle(published, position.side, now, rules, around)
    wanted = resize(
        published.signal,
        position.side,
        held=holding.value,
        capital=holding.capital,
        minimum=holding.minimum,
        maximum=holding.maximum,
        least_rest=holding.least_rest,
        drift_band=rules.drift_band,
        scale=scale,
        hold=obstacle.reason if obstacle is not None else None,
    )
    refusal = _refusal(published, position, now, rules, around) if wanted.amount else None
    return Resize(reason=refusal) if refusal is not None else wanted


def _refusal(
    published: PublishedSignal,
    position: Position,
    now: datetime,
    rules: TradingRules,
    around: Circumstances,
) -> Reason | None:
    """Return what keeps a signal from changing a position in either direction."""
    origin = origin_refusal(published.signal, rules)
    if origin is not None:
        return origin
    if around.control is ControlKind.HALT:
        return Reason.HALTED
    if now < max(published.signal.closes_at, published.available_at):
        return Reason.NOT_CLOSED
    if position.ts is not None and published.signal.ts < position.ts:
        return Reason.IN_POSITION
    if rules.catch_up is CatchUp.SKIP and is_missed(published, around.looking_since):
        return Reason.MISSED
    return None
