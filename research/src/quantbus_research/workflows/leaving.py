"""Exits that are due by time: they need no score, and so nobody to score."""

from datetime import datetime

from quantbus_research.publish import read_position
from quantbus_research.settings import PolicySettings
from quantbus_research.workflows.infer import Inference, infer
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.speaking import MUTE

__all__ = ["leave_in_time"]


def leave_in_time(session: Session, bar: datetime) -> Inference | None:
    """Say what is due by time about the newest bar, where nobody may speak otherwise; None where nothing is due.

    Raises
    ------
    BusUnavailable
        As `infer`.
    """
    market = session.recipe.market
    limits = [policy.hold_bars for policy in session.recipe.leading(PolicySettings).values()]
    shortest = min((bars for bars in limits if bars is not None), default=None)
    if shortest is None:
        return None
    for pair in market.pairs:
        position = read_position(session.history, session.strategy_id, pair, market.bars, bar, origin="live")
        held = position.bars_long(market.bars, bar)
        if held is not None and held >= shortest:
            return infer(session, MUTE, bar, origin="live", declare=False)
    return None
