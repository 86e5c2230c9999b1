"""Settings of one consumer: from ``EXT_SIG_*``, then Freqtrade's own config, then ``QUANTBUS_*``."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, SecretStr, ValidationError

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import (
    FULL_AT,
    FUSE_BELOW,
    SCALE_FLOOR,
    CatchUp,
    Confidence,
    Debounce,
    SoftScale,
    TradingRules,
)
from quantbus_contracts.runtime.settings import MongoSettings, check_environment, load_settings
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.hearing.restraints import RestraintSettings

__all__ = [
    "BLOCK",
    "ENVIRONMENT_NAMES",
    "Abilities",
    "ClaimSettings",
    "ExecutorSettings",
    "process_environment",
    "setting_keys",
]

BLOCK = "external_signal"
"""The block of Freqtrade's config.json that is ours."""

_PREFIX = "EXT_SIG_"
ENVIRONMENT_NAMES: Mapping[str, str] = {
    f"{_PREFIX}MONGO_URI": "mongo_uri",
    f"{_PREFIX}DB": "db",
    f"{_PREFIX}COLLECTION": "collection",
    f"{_PREFIX}STRATEGY_ID": "strategy_id",
    f"{_PREFIX}CONSUMER_ID": "consumer_id",
    f"{_PREFIX}QUERY_TIMEOUT_MS": "query_timeout_ms",
}
"""Environment variables, each with the key of the block that it outranks."""

Identifier = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")]
DatabaseName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,60}$")]
CollectionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
Seconds = Annotated[float, Field(gt=0, le=31_536_000)]


class _Debounce(BaseModel):
    """``external_signal.rules.debounce``: how fast a pair's position may change; see `Debounce`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    minimum_hold_seconds: Seconds | None = None
    cool_down_seconds: Seconds | None = None
    flips_per_day: Annotated[int, Field(ge=0, le=100_000)] | None = None

    def debounce(self) -> Debounce:
        return Debounce(
            minimum_hold=_duration(self.minimum_hold_seconds),
            cool_down=_duration(self.cool_down_seconds),
            flips_per_day=self.flips_per_day,
        )


class _Confidence(BaseModel):
    """``external_signal.rules.confidence``: what the score does to an entry; see `Confidence`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    scale: bool = False
    scale_floor: float = SCALE_FLOOR
    scale_full_at: float = FULL_AT
    fuse: bool = False
    fuse_below: float = FUSE_BELOW
    fail_open: bool = True

    def confidence(self) -> Confidence:
        scale = SoftScale(floor=self.scale_floor, full_at=self.scale_full_at)
        return Confidence(
            scale=scale if self.scale else None,
            fuse_below=self.fuse_below if self.fuse else None,
            fail_open=self.fail_open,
        )


class _Restraints(BaseModel):
    """``external_signal.restraints``: which restraints count; see `RestraintSettings`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    controls: bool = True
    risk_state: bool = True
    when_unreadable: Literal["closed", "open"] = "closed"
    max_age_seconds: Seconds = 30.0

    def restraint_settings(self) -> RestraintSettings:
        return RestraintSettings(
            controls=self.controls,
            risk_state=self.risk_state,
            fail_open=self.when_unreadable == "open",
            max_age=timedelta(seconds=self.max_age_seconds),
        )


class _Claims(BaseModel):
    """``external_signal.claims``: how it is kept that no signal is ordered twice; see `ClaimSettings`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    file: Path | None = None
    account: Identifier | None = None
    settle_seconds: Annotated[float, Field(ge=1, le=600)] = 20.0
    give_up_seconds: Annotated[float, Field(ge=1, le=86_400)] = 900.0

    def claim_settings(self) -> "ClaimSettings":
        return ClaimSettings(
            file=self.file,
            account=self.account,
            settle_after=timedelta(seconds=self.settle_seconds),
            give_up_after=timedelta(seconds=self.give_up_seconds),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimSettings:
    """How it is kept that no signal is ordered twice.

    Attributes
    ----------
    file
        The claims file; beside Freqtrade's database where it is None.
    account
        What the account is called that one bot at a time may trade; made from its key where it is None.
    settle_after
        When to ask the venue about an order that Freqtrade does not have: it has arrived by then, or never will.
    give_up_after
        When to stop asking a venue that cannot say.
    """

    file: Path | None = None
    account: str | None = None
    settle_after: timedelta = timedelta(seconds=20)
    give_up_after: timedelta = timedelta(seconds=900)


class _Rules(BaseModel):
    """``external_signal.rules``: how late and from which score on to act; see `TradingRules`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    tolerance_bars: Annotated[int, Field(ge=0, le=1_000)] = 1
    max_delay_seconds: Seconds | None = None
    max_age_seconds: Seconds | None = None
    act_on_old_exits: bool = True
    replay_database: bool = False
    clock_skew_seconds: Annotated[float, Field(ge=0, le=60)] = 2.0
    score_entry: float = 0.5
    score_exit: float = 0.0
    catch_up: CatchUp = CatchUp.IF_VALID
    debounce: _Debounce = _Debounce()
    confidence: _Confidence = _Confidence()
    can_short: bool | None = None
    max_leverage: Annotated[float, Field(ge=1, le=125)] = 1.0
    drift_band: Annotated[float, Field(ge=0, lt=1)] | None = None

    def trading_rules(self, *, on_spot: bool) -> TradingRules:
        if on_spot and self.can_short:
            raise ConfigError(
                f"{BLOCK}.rules.can_short: expected false on spot, where nothing can be sold short, found true; "
                "remove it, or set trading_mode to futures"
            )
        return TradingRules(
            can_short=not on_spot if self.can_short is None else self.can_short,
            max_leverage=self.max_leverage,
            drift_band=self.drift_band,
            tolerance_bars=self.tolerance_bars,
            max_delay=_duration(self.max_delay_seconds),
            max_age_from_available=_duration(self.max_age_seconds),
            act_on_old_exits=self.act_on_old_exits,
            accept_replay=self.replay_database,
            clock_skew=timedelta(seconds=self.clock_skew_seconds),
            score_entry=self.score_entry,
            score_exit=self.score_exit,
            catch_up=self.catch_up,
            debounce=self.debounce.debounce(),
            confidence=self.confidence.confidence(),
        )


class _Block(BaseModel):
    """``external_signal`` with the environment laid over it."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    mongo_uri: SecretStr | None = None
    db: DatabaseName | None = None
    collection: CollectionName = "crypto_signals"
    strategy_id: Identifier
    consumer_id: Identifier
    query_timeout_ms: Annotated[int, Field(ge=20, le=5_000)] = 300
    max_answer_age_seconds: Seconds = 30.0
    timeframe: str | None = None
    backtest_ledger: Path | None = None
    backtest_since: AwareDatetime | None = None
    rules: _Rules = _Rules()
    restraints: _Restraints = _Restraints()
    claims: _Claims = _Claims()


@dataclass(frozen=True, slots=True)
class ExecutorSettings:
    """What one bot needs to know to follow one strategy's signals.

    Attributes
    ----------
    consumer_id
        Who this bot is in the ledger; chosen by a person, the same across restarts, never made up.
    timeframe
        Length of the bars that signals are about: the bot's own, or a longer one.
    query_timeout
        Greatest time for one question to the bus; a loop waits a few of them at most, see `Patience`.
    max_answer_age
        How old the bus's last answer may be for an entry to be confirmed.
    backtest_ledger
        Where a backtest writes what became of each signal, as lines of JSON.
    backtest_since
        A backtest leaves out signals whose bar closed before this.
    """

    strategy_id: str
    consumer_id: str
    timeframe: Timeframe
    mongo: MongoSettings
    collection: str
    query_timeout: timedelta
    max_answer_age: timedelta
    rules: TradingRules
    backtest_ledger: Path | None = None
    backtest_since: datetime | None = None
    restraints: RestraintSettings = field(default_factory=RestraintSettings)
    claims: ClaimSettings = field(default_factory=ClaimSettings)

    @classmethod
    def load(cls, config: Mapping[str, Any], environment: Mapping[str, str] | None = None) -> Self:
        """Read Freqtrade's ``config`` and the environment.

        Raises
        ------
        ConfigError
            Naming each key or variable that is missing, unknown or wrong.
        """
        env = os.environ if environment is None else environment
        check_environment(env)
        block = _read_block(config, env)
        mongo = load_settings(
            MongoSettings,
            mongo_uri=block.mongo_uri.get_secret_value() if block.mongo_uri else None,
            signals_db=block.db,
        )
        return cls(
            strategy_id=block.strategy_id,
            consumer_id=block.consumer_id,
            timeframe=_signal_timeframe(block.timeframe, Timeframe.parse(str(config.get("timeframe")))),
            mongo=mongo,
            collection=block.collection,
            query_timeout=timedelta(milliseconds=block.query_timeout_ms),
            max_answer_age=timedelta(seconds=block.max_answer_age_seconds),
            rules=block.rules.trading_rules(on_spot=_is_spot(config)),
            backtest_ledger=block.backtest_ledger,
            backtest_since=block.backtest_since,
            restraints=block.restraints.restraint_settings(),
            claims=block.claims.claim_settings(),
        )


@dataclass(frozen=True, slots=True)
class Abilities:
    """What Freqtrade asks of a strategy object before it starts it."""

    can_short: bool = False
    resizes: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> Self:
        """Return what ``config`` asks for; nothing where it is wrong, which the start will say."""
        block = config.get(BLOCK)
        rules = block.get("rules", {}) if isinstance(block, Mapping) else {}
        try:
            read = _Rules(**rules).trading_rules(on_spot=_is_spot(config))
        except (ConfigError, ValidationError, TypeError):
            return cls()
        return cls(can_short=read.can_short, resizes=read.drift_band is not None)


def process_environment() -> Mapping[str, str]:
    """Return the environment, for whoever reads names that are not ours: ``FREQTRADE__*``."""
    return os.environ


def setting_keys() -> dict[str, object]:
    """Return every key of the block, dotted (``rules.tolerance_bars``), with what counts where it is not set."""
    return dict(_keys_of(_Block, ""))


def _keys_of(model: type[BaseModel], before: str) -> Iterator[tuple[str, object]]:
    for name, given in model.model_fields.items():
        if isinstance(given.default, BaseModel):
            yield from _keys_of(type(given.default), f"{before}{name}.")
        else:
            yield f"{before}{name}", None if given.is_required() else given.default


def _read_block(config: Mapping[str, Any], env: Mapping[str, str]) -> _Block:
    block = config.get(BLOCK, {})
    if not isinstance(block, Mapping):
        raise ConfigError(
            f"{BLOCK}: expected a block of settings in Freqtrade's config, found {type(block).__name__}"
        )
    outranking = {key: env[name] for name, key in ENVIRONMENT_NAMES.items() if env.get(name)}
    try:
        return _Block(**{**block, **outranking})
    except ValidationError as error:
        lines = [_told(item["loc"], item["type"], item["msg"]) for item in error.errors(include_input=False)]
        raise ConfigError("the settings of the executor are wrong:\n  " + "\n  ".join(lines)) from None


def _told(where: tuple[int | str, ...], kind: str, message: str) -> str:
    path = ".".join(str(part) for part in where)
    variable = {key: name for name, key in ENVIRONMENT_NAMES.items()}.get(path)
    also = f" (or {variable})" if variable else ""
    if kind == "missing":
        return f"{BLOCK}.{path}{also}: expected a name that you choose, found none"
    if kind == "extra_forbidden":
        return f"{BLOCK}.{path}: unknown; known are {', '.join(_known_beside(where))}"
    return f"{BLOCK}.{path}{also}: {message}"


def _known_beside(where: tuple[int | str, ...]) -> list[str]:
    model: Any = _Block
    for part in where[:-1]:
        model = model.model_fields[str(part)].annotation
    return list(model.model_fields)


def _is_spot(config: Mapping[str, Any]) -> bool:
    return str(config.get("trading_mode") or "spot") == "spot"


def _signal_timeframe(given: str | None, own: Timeframe) -> Timeframe:
    if given is None:
        return own
    timeframe = Timeframe.parse(given)
    if timeframe < own:
        raise ConfigError(
            f"{BLOCK}.timeframe: expected bars at least as long as the bot's own ({own}), found {timeframe}: "
            "set the timeframe of Freqtrade's config to that of the signals"
        )
    return timeframe


def _duration(seconds: float | None) -> timedelta | None:
    return timedelta(seconds=seconds) if seconds is not None else None
