"""The pure rules of reading and acting, shared by the bot, by backtests and by replay."""

from quantbus_contracts.policy.controls import active_controls, strictest_control
from quantbus_contracts.policy.decision import (
    Decision,
    DecisionKind,
    Position,
    StandingExit,
    decide,
    requested_action,
)
from quantbus_contracts.policy.interval import Interval, entry_interval, is_future_stamped, tolerance_end
from quantbus_contracts.policy.reasons import Reason
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.sizing import entry_stake
from quantbus_contracts.policy.wish import PositionSide, Wish, wish_of

__all__ = [
    "Decision",
    "DecisionKind",
    "Interval",
    "Position",
    "PositionSide",
    "Reason",
    "StandingExit",
    "TradingRules",
    "Wish",
    "active_controls",
    "decide",
    "entry_interval",
    "entry_stake",
    "is_future_stamped",
    "requested_action",
    "strictest_control",
    "tolerance_end",
    "wish_of",
]
