"""Models to documents and back; pure.

``None`` is never stored: an absent field says the same and costs nothing.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.schema import (
    Candle,
    Execution,
    Heartbeat,
    PublishedSignal,
    PublishRun,
    Revision,
    Signal,
    Strategy,
)
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe

__all__ = [
    "KEY_FIELDS",
    "REVISION_FIELDS",
    "candle_from_row",
    "candle_id",
    "execution_row",
    "heartbeat_row",
    "instrument_from_row",
    "instrument_row",
    "keyed_row",
    "run_row",
    "signal_from_row",
    "signal_row",
    "strategy_row",
]

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
KEY_FIELDS = ("strategy_id", "symbol", "pair", "timeframe", "ts")
_SIGNAL_FIELDS = tuple(Signal.model_fields)
REVISION_FIELDS = (
    *(name for name in _SIGNAL_FIELDS if name not in KEY_FIELDS),
    "valid_until_defaulted",
    "version",
    "available_at",
    "published_by",
    "content_hash",
    "batch_id",
)
"""What a revision keeps of the state it replaces: everything but the key and the history."""


def candle_id(symbol: str, open_time: datetime) -> str:
    """Return the ``_id`` of a bar, made from its key so that a replay need not touch another index."""
    return f"{symbol}|{(open_time - _EPOCH) // timedelta(milliseconds=1)}"


def candle_from_row(row: Row, timeframe: Timeframe) -> Candle:
    """Return the model of a stored bar."""
    return Candle(
        symbol=row["symbol"],
        timeframe=timeframe.name,
        open_time=_day(row["date"]) if timeframe.is_daily else row["datetime"],
        open=row["open"],
        high=row["high"],
        low=row["low"],
        close=row["close"],
        volume=row["volume"],
        source=row["source"],
    )


def _day(date_text: str) -> datetime:
    return datetime.strptime(date_text, "%Y%m%d").replace(tzinfo=UTC)


def signal_row(
    signal: Signal,
    *,
    signal_id: str,
    content_hash: str,
    valid_until: datetime,
    publisher: str,
    batch_id: str,
) -> Row:
    """Return a signal as a document, without what only the write itself can know: version, clock, history.

    Its id and hash are passed in since the caller has looked it up by them; they cost more than all the rest.
    """
    return {
        "_id": signal_id,
        **{name: value for name, value in signal.__dict__.items() if value is not None},
        "valid_until": valid_until,
        "valid_until_defaulted": signal.valid_until is None,
        "published_by": publisher,
        "content_hash": content_hash,
        "batch_id": batch_id,
    }


def _signal_of(row: Row, key: Row) -> Signal:
    given = {name: row[name] for name in _SIGNAL_FIELDS if name in row}
    if row["valid_until_defaulted"] is True:
        given.pop("valid_until")
    elif row["valid_until_defaulted"] is not False:
        raise ValueError(f"valid_until_defaulted: expected a flag, found {row['valid_until_defaulted']!r}")
    # Strict: what is no number on the bus (a text, a flag) must not become one here.
    return Signal.model_validate({**{name: key[name] for name in KEY_FIELDS}, **given}, strict=True)


def _revision_of(row: Row, key: Row) -> Revision:
    return Revision.model_validate({**_state_of(row), "signal": _signal_of(row, key)}, strict=True)


def _state_of(row: Row) -> Row:
    return {name: row[name] for name in ("version", "available_at", "valid_until", "published_by")}


def signal_from_row(row: Row) -> PublishedSignal:
    """Return the model of a stored signal, with as much history as the row carries.

    Raises
    ------
    ValueError
        If the row is no signal: it was written past the validators.
    """
    try:
        history = tuple(_revision_of(item, row) for item in row.get("history", ()))
        return PublishedSignal.model_validate(
            {**_state_of(row), "signal": _signal_of(row, row), "history": history}, strict=True
        )
    except (KeyError, TypeError, AttributeError, ArithmeticError) as error:
        raise ValueError(f"expected a signal, found a row that is none: {error!r}") from error


def keyed_row(key: Sequence[object], fields: Row) -> Row:
    """Return a document whose ``_id`` is its key, without empty fields."""
    parts = (
        str((part - _EPOCH) // timedelta(milliseconds=1)) if isinstance(part, datetime) else str(part)
        for part in key
    )
    return {"_id": "|".join(parts), **{name: value for name, value in fields.items() if value is not None}}


def execution_row(execution: Execution) -> Row:
    """Return a ledger row as a document."""
    fields = execution.model_dump()
    fields["state"] = execution.state.value
    fields["order_ids"] = list(execution.order_ids)
    return keyed_row(execution.key, fields)


def heartbeat_row(heartbeat: Heartbeat) -> Row:
    """Return a sign of life as a document."""
    return keyed_row(heartbeat.key, heartbeat.model_dump())


def run_row(run: PublishRun) -> Row:
    """Return the record of an evaluation as a document."""
    return keyed_row(run.key, run.model_dump())


def strategy_row(strategy: Strategy) -> Row:
    """Return a declaration as a document."""
    return keyed_row(strategy.key, strategy.model_dump() | {"pairs": list(strategy.pairs)})


def instrument_row(instrument: Instrument) -> Row:
    """Return a market as a document."""
    fields: Row = {
        "symbol": instrument.symbol,
        "pair": instrument.pair,
        "venue": instrument.venue,
        "market_type": instrument.market_type,
        "base": instrument.base,
        "quote": instrument.quote,
        "settle": instrument.settle or None,
        "expiry": f"{instrument.expiry:%Y%m%d}" if instrument.expiry else None,
    }
    return keyed_row((instrument.symbol,), fields)


def instrument_from_row(row: Row) -> Instrument:
    """Return the model of a stored market."""
    expiry: date | None = _day(row["expiry"]).date() if "expiry" in row else None
    return Instrument(
        row["venue"], row["market_type"], row["base"], row["quote"], row.get("settle", ""), expiry
    )
