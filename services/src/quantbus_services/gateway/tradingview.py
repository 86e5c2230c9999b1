"""An alert of a charting site to a row of the bus; pure. What is not said plainly is refused, never guessed."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from quantbus_contracts.schema import Action, Rejection

__all__ = ["Alert", "AlertRefused", "alert_of", "row_of"]

Position = Literal["long", "short", "flat"]
Short = Annotated[str, Field(min_length=1, max_length=128)]

_INTERVALS = {
    "1": "1m",
    "3": "3m",
    "5": "5m",
    "15": "15m",
    "30": "30m",
    "60": "1h",
    "120": "2h",
    "240": "4h",
    "360": "6h",
    "480": "8h",
    "720": "12h",
    "D": "1d",
    "1D": "1d",
}
_TURNS: dict[tuple[Position, Position], Action] = {
    ("flat", "long"): "enter_long",
    ("short", "long"): "enter_long",
    ("flat", "short"): "enter_short",
    ("long", "short"): "enter_short",
    ("long", "flat"): "exit_long",
    ("short", "flat"): "exit_short",
}


class AlertRefused(ValueError):
    """The alert makes no signal; ``rejection`` says why."""

    def __init__(self, field: str, value: object, reason: str) -> None:
        super().__init__(reason)
        self.rejection = Rejection(0, field, repr(value)[:200], reason)


class Alert(BaseModel):
    """An alert's message without its token; in brackets TradingView's placeholder for the field."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, allow_inf_nan=False)

    symbol: Annotated[Short, Field(description="`{{exchange}}:{{ticker}}`")]
    pair: Annotated[Short | None, Field(description="`BTC/USDT`; spares the bus to look the symbol up")] = (
        None
    )
    interval: Annotated[Short, Field(description="`{{interval}}`, or a timeframe of the bus: `1h`")]
    time: Annotated[Short, Field(description="`{{time}}`: when the bar opened")]
    action: Annotated[Action | None, Field(description="what to do, in the words of the bus")] = None
    market_position: Annotated[
        Position | None, Field(description="`{{strategy.market_position}}`, instead of an action")
    ] = None
    prev_market_position: Annotated[
        Position | None, Field(description="`{{strategy.prev_market_position}}`")
    ] = None
    weight: float | None = None
    score: float | None = None
    price: Annotated[float | None, Field(description="`{{close}}`, without quotes: the `ref_price`")] = None
    stop_price: float | None = None
    valid_until: Short | None = None
    note: Annotated[str | None, Field(max_length=1_000)] = None


def alert_of(message: object) -> Alert:
    """Return the alert that ``message`` is.

    Raises
    ------
    AlertRefused
        If it is none.
    """
    try:
        return Alert.model_validate(message)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        name = ".".join(str(part)[:64] for part in fault["loc"])
        raise AlertRefused(name, fault["input"], fault["msg"]) from None


def row_of(alert: Alert, *, strategy_id: str, symbol: str, pair: str) -> dict[str, object]:
    """Return the alert as a row of the bus, for the market that its symbol means.

    Raises
    ------
    AlertRefused
        If its positions say of no action.
    """
    given: dict[str, object] = {
        "strategy_id": strategy_id,
        "symbol": symbol,
        "pair": pair,
        "timeframe": _INTERVALS.get(alert.interval, alert.interval),
        "ts": alert.time,
        "action": _action_of(alert),
        "weight": alert.weight,
        "score": alert.score,
        "ref_price": alert.price,
        "stop_price": alert.stop_price,
        "valid_until": alert.valid_until,
        "note": alert.note,
        "source": "tradingview",
    }
    return {name: value for name, value in given.items() if value is not None}


def _action_of(alert: Alert) -> Action | None:
    before, after = alert.prev_market_position, alert.market_position
    if before is None and after is None:
        return alert.action
    if alert.action is not None:
        raise AlertRefused("action", alert.action, "expected an action or positions, found both")
    if before is None or after is None:
        missing = "prev_market_position" if before is None else "market_position"
        raise AlertRefused(missing, None, "expected both positions, found one")
    if before == after:
        reason = f"the position stays {after}: no entry and no exit; give an action or a weight instead"
        raise AlertRefused("market_position", after, reason)
    return _TURNS[before, after]
