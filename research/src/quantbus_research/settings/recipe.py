"""A recipe: everything that decides what a strategy says; one frozen tree."""

import hashlib
import json
from datetime import timedelta
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
    model_validator,
)

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import SUPPORTED_TIMEFRAMES, Timeframe

__all__ = [
    "DataSettings",
    "FactorSettings",
    "GateSettings",
    "LabelSettings",
    "MarketSettings",
    "ModelSettings",
    "PolicySettings",
    "PublishSettings",
    "Recipe",
    "ShadowSettings",
]

_USUAL_WAIT_SECONDS = 60.0
Bars = Annotated[int, Field(ge=1, le=2_000_000)]
Score = Annotated[float, Field(ge=-1, le=1)]
Share = Annotated[float, Field(gt=0, lt=1)]


class _Group(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class MarketSettings(_Group):
    """Where the strategy trades."""

    venue: Annotated[str, StringConstraints(pattern=r"^[A-Z0-9_]{1,32}$")]
    pairs: Annotated[tuple[str, ...], Field(min_length=1)]
    timeframe: str

    @field_validator("timeframe")
    @classmethod
    def _known(cls, name: str) -> str:
        if name not in SUPPORTED_TIMEFRAMES:
            raise ValueError(f"expected one of {', '.join(SUPPORTED_TIMEFRAMES)}, found {name!r}")
        return name

    @model_validator(mode="after")
    def _one_market(self) -> Self:
        try:
            kinds = {Instrument.from_pair(self.venue, pair).market_type for pair in self.pairs}
        except UnknownInstrument as error:
            raise ValueError(f"pairs: {error}") from None
        if len(kinds) > 1:
            raise ValueError(f"pairs: expected one market type, found {', '.join(sorted(kinds))}")
        if len(set(self.pairs)) < len(self.pairs):
            raise ValueError("pairs: expected each pair once")
        return self

    @property
    def instruments(self) -> tuple[Instrument, ...]:
        """The markets, in the order of the recipe."""
        return tuple(Instrument.from_pair(self.venue, pair) for pair in self.pairs)

    @property
    def bars(self) -> Timeframe:
        """The timeframe as bar arithmetic."""
        return Timeframe.parse(self.timeframe)


class DataSettings(_Group):
    """How much history the model learns from."""

    train_bars: Bars
    """At most so many bars of each pair."""
    min_train_bars: Bars
    """With fewer bars of any pair there is no model, and an error says so."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_train_bars > self.train_bars:
            raise ValueError(
                f"min_train_bars: expected at most train_bars ({self.train_bars}), "
                f"found {self.min_train_bars}"
            )
        return self


class FactorSettings(_Group):
    """What the model sees."""

    names: Annotated[tuple[str, ...], Field(min_length=1)]

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        known = (info.context or {}).get("factors")
        for name in names:
            if known is not None and name not in known:
                raise ValueError(f"unknown factor {name!r}")
        if len(set(names)) < len(names):
            raise ValueError("expected each factor once")
        return names


class LabelSettings(_Group):
    """What the model learns: whether the close ``horizon_bars`` later is higher."""

    kind: Literal["direction"] = "direction"
    horizon_bars: Annotated[int, Field(ge=1, le=10_000)]

    @property
    def told(self) -> str:
        """The label in words, as models remember it."""
        return f"{self.kind}, {self.horizon_bars} bars"


class ModelSettings(_Group):
    """A small classifier, gradient-boosted or linear; the same data and settings give the same bits."""

    kind: Literal["lightgbm", "linear"] = "lightgbm"
    calibration: Literal["none", "sigmoid", "isotonic"] = "none"
    """How scores become probabilities, by a curve fitted on scores of bars that were not trained on."""
    calibration_folds: Annotated[int, Field(ge=2, le=50)] = 5
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    threads: Annotated[int, Field(ge=1, le=64)] = 1
    rounds: Annotated[int, Field(ge=1, le=5_000)] = 80
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 0.05
    leaves: Annotated[int, Field(ge=2, le=1_024)] = 15
    min_rows_in_leaf: Annotated[int, Field(ge=1)] = 20
    feature_share: Annotated[float, Field(gt=0, le=1)] = 0.9
    l2: Annotated[float, Field(ge=0)] = 1.0
    validation_share: Share = 0.2
    """The newest part of the data on which the model is judged before it is fitted on all of it."""
    embargo_bars: Annotated[int, Field(ge=0)] = 0
    """Bars left out between the two parts, besides those whose label reaches into the second."""
    retrain_bars: Bars
    """Training data ends at the newest bar whose number since 1970 is a multiple of this."""


class PolicySettings(_Group):
    """From scores to entries and exits."""

    thresholds: Literal["absolute", "quantile"]
    """Whether enter and exit are scores, or shares of the newest ``calibration_bars`` scores."""
    enter: float
    exit: float
    calibration_bars: Annotated[int, Field(ge=2, le=10_000)] | None = None
    hold_bars: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Leave after so many bars, whatever the score says."""
    max_flat_bars: Annotated[int, Field(ge=1, le=100_000)] | None = None
    """Enter after so many bars without a position, even against the model. For demonstrations."""
    on_gap: Literal["publish_degraded", "skip_open", "skip"] = "publish_degraded"
    """Bars missing inside the look-back: publish and say so, or let this pair's bar pass; ``skip_open`` lets it pass
    only where some of them may exist, and publishes where the venue is known to have none."""

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        low, high = (-1.0, 1.0) if self.thresholds == "absolute" else (0.0, 1.0)
        for name, value in (("enter", self.enter), ("exit", self.exit)):
            if not low <= value <= high:
                raise ValueError(
                    f"{name}: expected {low:g} to {high:g} with {self.thresholds} thresholds, found {value:g}"
                )
        if self.exit > self.enter:
            raise ValueError(f"exit: expected at most enter ({self.enter:g}), found {self.exit:g}")
        if (self.thresholds == "quantile") != (self.calibration_bars is not None):
            raise ValueError("calibration_bars: expected with quantile thresholds, and only with them")
        return self


class ShadowSettings(_Group):
    """A second model that says what it would have said, under a strategy id of its own; nobody has to follow that."""

    stage: Literal["candidate", "staging", "production"] = "staging"
    """Whose model speaks there."""
    strategy_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = None
    """By default the recipe's own with ``.shadow`` behind it."""


class PublishSettings(_Group):
    """When and how signals go out."""

    valid_bars: Annotated[float, Field(gt=0, le=1_000)] = 2.0
    """An entry may be acted upon so many bars after its bar has closed."""
    max_wait_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long to wait for the bars of all pairs after bar close; at most 40 % of a bar, by default a minute."""
    on_missing: Literal["publish_degraded", "nothing"] = "publish_degraded"
    """The bar of some pair has not come in that time: speak about the others and say so, or say nothing about any. An
    exit that is due by time goes out in any case."""
    on_late: Literal["publish_degraded", "exits", "nothing"] = "exits"
    """Half a bar has passed since the bar's close: say all of it and that it is late, say only what ends a position, or
    say nothing. Once the next bar has closed nothing is said about this one."""
    catch_up_bars: Annotated[int, Field(ge=0, le=10_000)] = 0
    """After downtime, evaluate so many missed bars as ``backfill``, which never trades; 0 skips them."""
    stage: Literal["candidate", "staging", "production"] = "candidate"
    """Whose model speaks: one trained as bars go by, or the one that `promote` has put on this stage."""
    shadow: ShadowSettings | None = None
    """Another model beside it, to be compared."""


class GateSettings(_Group):
    """What a model has to show before it is promoted."""

    cost_rate: Annotated[float, Field(ge=0, le=0.1)] = 0.001
    """Share of a trade's value that fee, spread and slippage take each way."""
    information_ratio_above: float = 0.0
    """Out of sample, after costs, a year."""
    consistency_above: Annotated[float, Field(ge=-1, lt=1)] = 0.6
    """Correlation of what each factor is worth in training and in validation."""
    overlap_at_least: Annotated[float, Field(ge=0, le=1)] = 0.7
    """Share of top picks on which models of two periods agree."""
    top_share: Annotated[float, Field(gt=0, le=0.5)] = 0.2
    """Which part of the rows are top picks."""


class Recipe(_Group):
    """One strategy, from candles to signals."""

    description: Annotated[str, StringConstraints(min_length=1, max_length=1_000)]
    strategy_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
    market: MarketSettings
    data: DataSettings
    factors: FactorSettings
    label: LabelSettings
    model: ModelSettings
    policy: PolicySettings
    publish: PublishSettings = PublishSettings()
    gates: GateSettings = GateSettings()

    @cached_property
    def config_hash(self) -> str:
        """SHA-256 of the whole recipe with its defaults."""
        return _digest(self.model_dump(mode="json"))

    @cached_property
    def training_hash(self) -> str:
        """SHA-256 of the part that decides what the model becomes."""
        parts = {"market", "data", "factors", "label", "model"}
        return _digest(self.model_dump(mode="json", include=parts))

    @property
    def max_wait(self) -> timedelta:
        """How long after bar close the worker waits for candles; always less than half a bar."""
        wanted = self.publish.max_wait_seconds or _USUAL_WAIT_SECONDS
        return timedelta(seconds=min(wanted, 0.4 * self.market.bars.seconds))


def _digest(value: object) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
