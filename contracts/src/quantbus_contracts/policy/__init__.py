"""The pure rules of reading and acting, shared by the bot, by backtests and by replay."""

from quantbus_contracts.policy.catch_up import CatchUp, is_missed
from quantbus_contracts.policy.circumstances import UNRESTRAINED, Circumstances
from quantbus_contracts.policy.confidence import (
    FULL_AT,
    FUSE_BELOW,
    SCALE_FLOOR,
    Confidence,
    SoftScale,
    confidence_of,
)
from quantbus_contracts.policy.controls import active_controls, strictest_control
from quantbus_contracts.policy.debounce import FLIP_WINDOW, Debounce, PastTrade, flips
from quantbus_contracts.policy.decision import Decision, DecisionKind, decide, requested_action
from quantbus_contracts.policy.entering import Obstacle, entry_obstacle
from quantbus_contracts.policy.interval import (
    Interval,
    entry_interval,
    first_bar_to_enter,
    is_future_stamped,
    tolerance_end,
)
from quantbus_contracts.policy.lives import Hop, Life, hops_of, remedies_for, verdict_on
from quantbus_contracts.policy.origin import origin_refusal
from quantbus_contracts.policy.overlooked import Fate, fate_of_overlooked
from quantbus_contracts.policy.position import Position, StandingExit
from quantbus_contracts.policy.reasons import LASTING, RESTRAINTS, Reason, final_reason
from quantbus_contracts.policy.resizing import Holding, decide_resize
from quantbus_contracts.policy.risk import NO_RISK, RiskView, risk_view
from quantbus_contracts.policy.rules import TradingRules
from quantbus_contracts.policy.sentences import sentence_of
from quantbus_contracts.policy.side import PositionSide
from quantbus_contracts.policy.sizing import (
    RAISED_AT_MOST,
    Resize,
    entry_leverage,
    entry_stake,
    is_below_minimum,
    resize,
)
from quantbus_contracts.policy.stopping import is_beyond_stop, is_nearer_stop, stop_distance
from quantbus_contracts.policy.wish import Wish, wish_of

__all__ = [
    "FLIP_WINDOW",
    "FULL_AT",
    "FUSE_BELOW",
    "LASTING",
    "NO_RISK",
    "RAISED_AT_MOST",
    "RESTRAINTS",
    "SCALE_FLOOR",
    "UNRESTRAINED",
    "CatchUp",
    "Circumstances",
    "Confidence",
    "Debounce",
    "Decision",
    "DecisionKind",
    "Fate",
    "Holding",
    "Hop",
    "Interval",
    "Life",
    "Obstacle",
    "PastTrade",
    "Position",
    "PositionSide",
    "Reason",
    "Resize",
    "RiskView",
    "SoftScale",
    "StandingExit",
    "TradingRules",
    "Wish",
    "active_controls",
    "confidence_of",
    "decide",
    "decide_resize",
    "entry_interval",
    "entry_leverage",
    "entry_obstacle",
    "entry_stake",
    "fate_of_overlooked",
    "final_reason",
    "first_bar_to_enter",
    "flips",
    "hops_of",
    "is_below_minimum",
    "is_beyond_stop",
    "is_future_stamped",
    "is_missed",
    "is_nearer_stop",
    "origin_refusal",
    "remedies_for",
    "requested_action",
    "resize",
    "risk_view",
    "sentence_of",
    "stop_distance",
    "strictest_control",
    "tolerance_end",
    "verdict_on",
    "wish_of",
]
