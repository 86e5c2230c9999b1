"""A strategy's declaration, what contradicts it, and the record that it was evaluated for a bar."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantbus_contracts.errors import ContractError
from quantbus_contracts.schema._base import Document, Identifier, Pair, TimeframeName, UtcMoment
from quantbus_contracts.schema.signal import Signal
from quantbus_contracts.symbols import Instrument

__all__ = ["Contradiction", "Declaration", "PublishRun", "Strategy"]

_PAIRS_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Contradiction:
    """Where a signal departs from its strategy's declaration."""

    field: str
    value: object
    reason: str


class Strategy(Document):
    """What a strategy promises: where it trades, which pairs, how often it speaks, and within which limits."""

    strategy_id: Identifier
    venue: Annotated[str, Field(pattern=r"^[A-Z0-9_]{1,32}$")]
    market_type: Literal["spot", "swap", "future"] = "spot"
    timeframe: TimeframeName
    pairs: Annotated[tuple[Pair, ...], Field(min_length=1, max_length=5_000)]
    cadence_bars: Annotated[int, Field(ge=1, le=10_000)] | None = 1
    """It is evaluated at every n-th bar; a bar without a `PublishRun` is silence. None: it promises no regularity."""
    max_delay_seconds: Annotated[float, Field(gt=0)] | None = None
    """How late after bar close a signal may appear; half a bar where not given."""
    max_signals_per_bar: Annotated[int, Field(ge=1, le=5_000)] | None = None
    """How many pairs may carry a signal of one bar."""
    max_weight: Annotated[float, Field(gt=0, le=1)] | None = None
    """The largest absolute weight of one signal."""
    max_leverage: Annotated[float, Field(ge=1, le=125)] | None = None
    note: Annotated[str, Field(max_length=1_000)] | None = None

    @classmethod
    def derived_from(cls, signals: Sequence[Signal]) -> Self:
        """Return the declaration that the first signals of a strategy amount to: venue, timeframe, pairs, no cadence.

        Raises
        ------
        ContractError
            If they do not agree on venue, market type or timeframe: which is meant is not guessed.
        """
        first = signals[0]
        found = {
            "venue": {signal.symbol.partition(":")[0] for signal in signals},
            "timeframe": {signal.timeframe for signal in signals},
            "market_type": {_market_type(signal) for signal in signals},
        }
        for name, values in found.items():
            if len(values) > 1:
                raise ContractError(
                    f"strategy {first.strategy_id!r} is not declared and its rows do not agree on one {name}: "
                    f"{', '.join(sorted(values))}; publish under one strategy_id for each, or declare it first "
                    "(`quantbus strategies declare`, or bus.declare(Strategy(...)))",
                    field="symbol" if name == "venue" else "pair" if name == "market_type" else name,
                )
        return cls.model_validate(
            {
                "strategy_id": first.strategy_id,
                "cadence_bars": None,
                "pairs": tuple(dict.fromkeys(signal.pair for signal in signals)),
                **{name: values.pop() for name, values in found.items()},
            }
        )

    @property
    def key(self) -> tuple[str]:
        """What makes the declaration unique."""
        return (self.strategy_id,)

    def with_pairs(self, *pairs: str) -> Self:
        """Return the declaration with further pairs; declare it to let their signals in."""
        wanted = {**self.model_dump(), "pairs": tuple(dict.fromkeys((*self.pairs, *pairs)))}
        return type(self).model_validate(wanted)

    def contradictions(self, signals: Iterable[Signal]) -> Iterator[Contradiction | None]:
        """Yield where each signal departs from this declaration; None where it keeps to it."""
        pairs = frozenset(self.pairs)
        return (self._contradiction(signal, pairs) for signal in signals)

    def _contradiction(self, signal: Signal, pairs: frozenset[str]) -> Contradiction | None:
        venue = signal.symbol.partition(":")[0]
        if venue != self.venue:
            return self._departs("symbol", signal.symbol, f"trades on {self.venue}")
        if signal.timeframe != self.timeframe:
            return self._departs("timeframe", signal.timeframe, f"speaks of {self.timeframe} bars")
        if signal.pair not in pairs:
            return self._unknown_pair(signal)
        if self.max_weight is not None and signal.weight is not None and abs(signal.weight) > self.max_weight:
            return self._departs("weight", signal.weight, f"keeps weights within ±{self.max_weight:g}")
        if (
            self.max_leverage is not None
            and signal.leverage is not None
            and signal.leverage > self.max_leverage
        ):
            return self._departs("leverage", signal.leverage, f"keeps leverage within {self.max_leverage:g}")
        return None

    def _unknown_pair(self, signal: Signal) -> Contradiction:
        kind = _market_type(signal)
        if kind != self.market_type:
            return self._departs("pair", signal.pair, f"trades {self.market_type} markets, this is a {kind}")
        shown = ", ".join(self.pairs[:_PAIRS_SHOWN]) + (" …" if len(self.pairs) > _PAIRS_SHOWN else "")
        return Contradiction(
            "pair",
            signal.pair,
            f"strategy {self.strategy_id!r} is declared for {shown}; to add the pair: "
            f"`quantbus strategies declare {self.strategy_id} --add-pair {signal.pair}`, "
            f"or bus.declare(bus.strategy({self.strategy_id!r}).with_pairs({signal.pair!r}))",
        )

    def _departs(self, field: str, value: object, declared: str) -> Contradiction:
        return Contradiction(
            field,
            value,
            f"strategy {self.strategy_id!r} is declared otherwise: it {declared}; "
            "publish under another strategy_id, or redeclare it (`quantbus strategies declare`)",
        )


def _market_type(signal: Signal) -> str:
    return Instrument.from_pair(signal.symbol.partition(":")[0], signal.pair).market_type


class Declaration(Document):
    """A declaration as it stands: which version, since when, by whom."""

    strategy: Strategy
    version: Annotated[int, Field(ge=1)]
    declared_at: UtcMoment | None = None
    declared_by: str = ""


class PublishRun(Document):
    """This strategy was evaluated for this bar, whether or not it had something to say."""

    strategy_id: Identifier
    timeframe: TimeframeName
    ts: UtcMoment
    evaluated_at: UtcMoment
    pairs_evaluated: Annotated[int, Field(ge=0)]
    signals: Annotated[int, Field(ge=0)]
    degraded: Annotated[str, Field(min_length=1, max_length=200)] | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.signals > self.pairs_evaluated:
            raise ValueError(
                f"expected at most one signal per evaluated pair, found {self.signals} "
                f"signals of {self.pairs_evaluated} pairs"
            )
        return self

    @property
    def key(self) -> tuple[str, str, datetime]:
        """What makes the row unique: strategy, timeframe, bar."""
        return self.strategy_id, self.timeframe, self.ts
