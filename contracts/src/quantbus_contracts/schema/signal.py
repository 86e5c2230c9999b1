"""A trading signal as published, and as it stands on the bus."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from json.encoder import encode_basestring_ascii as json_text
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.schema._base import Document, Identifier, Pair, Symbol, TimeframeName, UtcMoment
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "CONTENT_FIELDS",
    "MOST_VERSIONS",
    "Action",
    "Origin",
    "PublishedSignal",
    "Revision",
    "Signal",
    "SignalKey",
    "signal_id_of",
]

Action = Literal["enter_long", "exit_long", "enter_short", "exit_short"]
Origin = Literal["live", "backfill", "replay"]
SignalKey = tuple[str, str, str, datetime]
Price = Annotated[float, Field(gt=0, le=1e15)]
Label = Annotated[str, Field(max_length=128)]

MOST_VERSIONS = 201
"""Of one signal: the newest, and the history that is kept with it."""

CONTENT_FIELDS: tuple[str, ...] = (
    "action",
    "weight",
    "score",
    "valid_until",
    "stop_price",
    "ref_price",
    "leverage",
    "degraded",
    "origin",
)
"""What makes two revisions the same. All else (notes, hashes of models) is about the publisher."""


_HASHED_FIELDS = tuple(sorted(CONTENT_FIELDS))
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND = timedelta(milliseconds=1)


def signal_id_of(key: SignalKey) -> str:
    """Return the id of a signal: a hash of its canonical key, the same for every publisher."""
    strategy_id, pair, timeframe, ts = key
    milliseconds = (ts - _EPOCH) // _MILLISECOND
    canonical = f"[{json_text(strategy_id)},{json_text(pair)},{json_text(timeframe)},{milliseconds}]"
    return hashlib.sha256(canonical.encode()).hexdigest()[:32]


def _canonical(value: object) -> str:
    """Return a value of the content as canonical JSON; written out, since every published row is hashed."""
    if isinstance(value, str):
        return json_text(value)
    if isinstance(value, datetime):
        return str((value - _EPOCH) // _MILLISECOND)
    if isinstance(value, float):
        return float.__repr__(value + 0.0)  # -0.0 and 0.0 are the same opinion
    raise TypeError(f"expected a text, a number or a time, found {value!r}")


class Signal(Document):
    """One opinion of one strategy about one bar of one pair.

    ``ts`` is the OPEN time of the bar it was computed from (UTC). At least one of ``action``, ``weight``
    (target share of the strategy's capital, -1..1) and ``score`` (-1..1) is given; action outranks weight,
    weight outranks score, and a score beside an action is its confidence.
    """

    strategy_id: Identifier
    symbol: Symbol
    pair: Pair
    timeframe: TimeframeName
    ts: UtcMoment
    action: Action | None = None
    weight: Annotated[float, Field(ge=-1, le=1)] | None = None
    score: Annotated[float, Field(ge=-1, le=1)] | None = None
    valid_until: UtcMoment | None = None
    note: Annotated[str, Field(max_length=1_000)] | None = None
    source: Label | None = None
    stop_price: Price | None = None
    ref_price: Price | None = None
    leverage: Annotated[float, Field(ge=1, le=125)] | None = None
    computed_at: UtcMoment | None = None
    model_id: Label | None = None
    model_hash: Label | None = None
    snapshot_id: Label | None = None
    code_version: Label | None = None
    config_hash: Label | None = None
    degraded: Annotated[str, Field(min_length=1, max_length=200)] | None = None
    """Why the signal is worth less than usual (it was computed over a gap, say); None when it is not."""
    origin: Origin = "live"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.action is None and self.weight is None and self.score is None:
            raise ValueError("score: expected at least one of action, weight, score; found none")
        timeframe = Timeframe.parse(self.timeframe)
        if not timeframe.is_open_time(self.ts):
            raise ValueError(
                f"ts: no {self.timeframe} bar opens at {self.ts.isoformat()}; "
                f"the bar that contains it opens at {timeframe.floor(self.ts).isoformat()}"
            )
        if self.valid_until is not None and self.valid_until <= timeframe.close_of(self.ts):
            raise ValueError(
                f"valid_until: expected a time after the bar's close "
                f"{timeframe.close_of(self.ts).isoformat()}, found {self.valid_until.isoformat()}"
            )
        self._check_names()
        return self

    def _check_names(self) -> None:
        venue = self.symbol.partition(":")[0]
        try:
            instrument = Instrument.from_pair(venue, self.pair)
        except UnknownInstrument as error:
            raise ValueError(str(error)) from None
        if self.symbol != instrument.symbol:
            raise ValueError(
                f"symbol: expected {instrument.symbol!r}, the bus symbol of pair {self.pair!r} "
                f"on {venue}, found {self.symbol!r}"
            )

    @property
    def key(self) -> SignalKey:
        """What makes the signal unique: strategy, pair, timeframe, bar."""
        return self.strategy_id, self.pair, self.timeframe, self.ts

    @property
    def signal_id(self) -> str:
        """The id that travels through orders and the ledger."""
        return signal_id_of(self.key)

    @property
    def closes_at(self) -> datetime:
        """When the bar it was computed from closes; the signal cannot be acted upon before."""
        return Timeframe.parse(self.timeframe).close_of(self.ts)

    @property
    def content(self) -> Mapping[str, object]:
        """The fields that make two revisions the same."""
        return {name: getattr(self, name) for name in CONTENT_FIELDS}

    @property
    def content_hash(self) -> str:
        """SHA-256 over the content; equal content gives an equal hash on every machine."""
        values = self.__dict__
        fields = [
            f'"{name}":{"null" if (value := values[name]) is None else _canonical(value)}'
            for name in _HASHED_FIELDS
        ]
        return hashlib.sha256(f"{{{','.join(fields)}}}".encode()).hexdigest()


class Revision(Document):
    """A former state of a signal: its content, what said it, and when it was on the bus."""

    signal: Signal
    version: Annotated[int, Field(ge=1, le=MOST_VERSIONS)]
    available_at: UtcMoment
    valid_until: UtcMoment
    published_by: Label


class PublishedSignal(Document):
    """A signal as it stands on the bus, with what the bus set.

    ``available_at`` is the database's clock at the write of this revision. ``valid_until`` is the publisher's
    own or, where it gave none, the default that the bus set; ``signal.valid_until`` stays as given.
    """

    signal: Signal
    version: Annotated[int, Field(ge=1, le=MOST_VERSIONS)]
    available_at: UtcMoment
    valid_until: UtcMoment
    published_by: Label
    history: tuple[Revision, ...] = ()

    @property
    def signal_id(self) -> str:
        """The id that travels through orders and the ledger."""
        return self.signal.signal_id

    @property
    def first_available_at(self) -> datetime:
        """When any revision of this signal first stood on the bus."""
        return self.history[0].available_at if self.history else self.available_at

    def as_of(self, moment: datetime) -> Self | None:
        """Return the signal as the bus showed it at ``moment``; None if it did not exist yet."""
        if moment.astimezone(UTC) >= self.available_at:
            return self
        earlier = [revision for revision in self.history if revision.available_at <= moment]
        if not earlier:
            return None
        newest = earlier[-1]
        return self.model_copy(
            update={
                "signal": newest.signal,
                "version": newest.version,
                "available_at": newest.available_at,
                "valid_until": newest.valid_until,
                "published_by": newest.published_by,
                "history": tuple(earlier[:-1]),
            }
        )
