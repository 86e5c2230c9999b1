"""Publish: from scores to signals, and the only door to the bus."""

from quantbus_research.publish.decisions import Thresholds, Verdict, View, decide, is_overdue, thresholds_of
from quantbus_research.publish.door import SignalSink, open_sink, standing_live
from quantbus_research.publish.holding import Held, hold_back
from quantbus_research.publish.past import Said, Speaks, leftovers, sayings, signals_of_past
from quantbus_research.publish.positions import Position, position_before, read_position
from quantbus_research.publish.selecting import choose, chosen_weights, is_due, last_turn, read_weight
from quantbus_research.publish.signals import Provenance, declaration_of, to_signals
from quantbus_research.publish.walking import positions_of

__all__ = [
    "Held",
    "Position",
    "Provenance",
    "Said",
    "SignalSink",
    "Speaks",
    "Thresholds",
    "Verdict",
    "View",
    "choose",
    "chosen_weights",
    "decide",
    "declaration_of",
    "hold_back",
    "is_due",
    "is_overdue",
    "last_turn",
    "leftovers",
    "open_sink",
    "position_before",
    "positions_of",
    "read_position",
    "read_weight",
    "sayings",
    "signals_of_past",
    "standing_live",
    "thresholds_of",
    "to_signals",
]
