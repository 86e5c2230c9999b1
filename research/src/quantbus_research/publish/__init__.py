"""Publish: from scores to signals, and the only door to the bus."""

from quantbus_research.publish.decisions import Thresholds, Verdict, View, decide, thresholds_of
from quantbus_research.publish.door import SignalSink, open_sink, without_live_rows
from quantbus_research.publish.positions import Position, position_before, read_position
from quantbus_research.publish.signals import Provenance, declaration_of, to_signals
from quantbus_research.publish.walking import positions_of

__all__ = [
    "Position",
    "Provenance",
    "SignalSink",
    "Thresholds",
    "Verdict",
    "View",
    "decide",
    "declaration_of",
    "open_sink",
    "position_before",
    "positions_of",
    "read_position",
    "thresholds_of",
    "to_signals",
    "without_live_rows",
]
