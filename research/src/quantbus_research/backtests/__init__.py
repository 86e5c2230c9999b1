"""Backtests: what signals, positions or weights would have come to, at the next open and after costs."""

from quantbus_research.backtests.engine import Account, simulate
from quantbus_research.backtests.following import Followed, follow, targets_of
from quantbus_research.backtests.long_flat import buy_and_hold, simulate_long_flat
from quantbus_research.backtests.market import Market
from quantbus_research.backtests.recall import as_if_published
from quantbus_research.backtests.replaying import Replay, replay
from quantbus_research.backtests.result import Backtest
from quantbus_research.backtests.selection import at_turns, exchanged, top_k, top_k_drop_n
from quantbus_research.backtests.sensitivity import at_other_costs

__all__ = [
    "Account",
    "Backtest",
    "Followed",
    "Market",
    "Replay",
    "as_if_published",
    "at_other_costs",
    "at_turns",
    "buy_and_hold",
    "exchanged",
    "follow",
    "replay",
    "simulate",
    "simulate_long_flat",
    "targets_of",
    "top_k",
    "top_k_drop_n",
]
