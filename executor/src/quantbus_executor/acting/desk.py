"""The desk: everything that decides about pairs and trades, put together over what is heard and held."""

from dataclasses import dataclass
from typing import Self

from quantbus_contracts.policy import TradingRules
from quantbus_contracts.ports import SignalReader
from quantbus_executor.acting.attempts import Attempts
from quantbus_executor.acting.entries import Entries
from quantbus_executor.acting.exits import Exits
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.acting.judging import Judge
from quantbus_executor.acting.leverage import Leverage
from quantbus_executor.acting.resizing import Resizing
from quantbus_executor.acting.resting import Resting
from quantbus_executor.acting.stops import Stops
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.surroundings import Surroundings
from quantbus_executor.ledger.journal import Journal
from quantbus_executor.trades.positions import Positions

__all__ = ["Desk"]


@dataclass(frozen=True, slots=True)
class Desk:
    """Who answers what Freqtrade asks, and who judges signals beforehand."""

    entries: Entries
    exits: Exits
    leverage: Leverage
    resizing: Resizing
    resting: Resting
    stops: Stops
    judge: Judge

    @classmethod
    def over(
        cls,
        *,
        feed: SignalFeed,
        signals: SignalReader,
        journal: Journal,
        gate: EntryGate,
        surroundings: Surroundings,
        positions: Positions,
        rules: TradingRules,
        attempts: Attempts,
    ) -> Self:
        """Put the parts together over what they share."""
        stops = Stops(feed=feed, signals=signals, surroundings=surroundings, positions=positions, rules=rules)
        entries = Entries(
            feed=feed,
            journal=journal,
            gate=gate,
            surroundings=surroundings,
            stops=stops,
            rules=rules,
            attempts=attempts,
        )
        return cls(
            entries=entries,
            exits=Exits(
                feed=feed,
                journal=journal,
                surroundings=surroundings,
                positions=positions,
                stops=stops,
                rules=rules,
            ),
            leverage=Leverage(feed=feed, rules=rules),
            resizing=Resizing(
                feed=feed,
                journal=journal,
                gate=gate,
                surroundings=surroundings,
                positions=positions,
                stops=stops,
                rules=rules,
            ),
            resting=Resting(feed=feed, journal=journal, surroundings=surroundings, rules=rules),
            stops=stops,
            judge=Judge(journal=journal, entries=entries, surroundings=surroundings, rules=rules),
        )
