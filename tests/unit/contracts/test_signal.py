"""Laws of the signal: identity, content, time."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from quantbus_contracts.mongo.documents import signal_from_row, signal_row
from quantbus_contracts.schema import PublishedSignal, Revision, Signal
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)

pairs = st.sampled_from(["BTC/USDT", "ETH/USDT", "BTC/USDT:USDT", "1000PEPE/USDT:USDT", "BTC/USD:BTC-261225"])
scores = st.none() | st.floats(min_value=-1, max_value=1)


@st.composite
def signals(draw: st.DrawFn) -> Signal:
    pair, timeframe = draw(pairs), draw(st.sampled_from(["1m", "5m", "1h", "1d"]))
    bar = Timeframe.parse(timeframe)
    ts = bar.floor(draw(st.datetimes(datetime(2020, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC))))
    end = bar.close_of(ts) + timedelta(milliseconds=draw(st.integers(1, 10**9)))
    return Signal(
        strategy_id=draw(st.from_regex(r"[A-Za-z0-9_.-]{1,64}", fullmatch=True)),
        symbol=Instrument.from_pair("BINANCE", pair).symbol,
        pair=pair,
        timeframe=timeframe,
        ts=ts,
        action=draw(st.sampled_from(["enter_long", "exit_long", "enter_short", "exit_short"])),
        weight=draw(scores),
        score=draw(scores),
        valid_until=draw(st.none() | st.just(end)),
        note=draw(st.none() | st.text(max_size=50)),
        stop_price=draw(st.none() | st.floats(min_value=1e-9, max_value=1e9)),
        degraded=draw(st.none() | st.text(min_size=1, max_size=20)),
        origin=draw(st.sampled_from(["live", "backfill", "replay"])),
    )


@given(signals())
def test_a_document_reads_back_as_the_same_signal(signal: Signal) -> None:
    end = signal.valid_until or signal.closes_at + timedelta(minutes=1)
    row = signal_row(
        signal,
        signal_id=signal.signal_id,
        content_hash=signal.content_hash,
        valid_until=end,
        publisher="p",
        batch_id="b",
    ) | {"version": 1, "available_at": NOON}
    found = signal_from_row(row)
    assert found.signal == signal
    assert found.valid_until == end
    assert None not in row.values()


@given(signals(), signals())
def test_ids_are_equal_exactly_when_keys_are(one: Signal, other: Signal) -> None:
    assert (one.signal_id == other.signal_id) == (one.key == other.key)


@given(signals(), st.text(max_size=20))
def test_what_is_about_the_publisher_is_not_content(signal: Signal, note: str) -> None:
    other = signal.model_copy(update={"note": note, "model_id": "m", "computed_at": NOON})
    assert other.content_hash == signal.content_hash


@given(signals(), st.sampled_from(["action", "score", "stop_price", "degraded", "origin", "valid_until"]))
def test_every_other_content_has_another_hash(signal: Signal, field: str) -> None:
    another = {
        "action": "exit_long" if signal.action != "exit_long" else "enter_long",
        "score": 0.123 if signal.score != 0.123 else 0.5,
        "stop_price": 3.25 if signal.stop_price != 3.25 else 4.5,
        "degraded": "gap!" if signal.degraded != "gap!" else "late!",
        "origin": "replay" if signal.origin != "replay" else "live",
        "valid_until": signal.closes_at + timedelta(days=50) if signal.valid_until is None else None,
    }[field]
    assert signal.model_copy(update={field: another}).content_hash != signal.content_hash


def test_the_id_does_not_depend_on_the_time_zone_or_on_microseconds() -> None:
    tokyo = timezone(timedelta(hours=9))
    assert make_signal(ts=NOON.astimezone(tokyo)).signal_id == make_signal(ts=NOON).signal_id


def test_plus_and_minus_zero_are_the_same_opinion() -> None:
    assert make_signal(score=0.0).content_hash == make_signal(score=-0.0).content_hash


@pytest.mark.parametrize(
    ("given_fields", "message"),
    [
        ({"action": None}, "at least one of action, weight, score"),
        ({"score": 1.5}, "less than or equal to 1"),
        ({"score": float("nan")}, "finite"),
        ({"weight": float("inf")}, "finite"),
        ({"ts": NOON + timedelta(seconds=1)}, "no 1m bar opens at"),
        ({"ts": datetime(2026, 1, 5, 12, 0)}, "naive"),
        ({"valid_until": NOON}, "after the bar's close"),
        ({"pair": "BTCUSDT", "symbol": "BINANCE:BTCUSDT"}, "pair"),
        ({"symbol": "BINANCE:ETHUSDT"}, "expected 'BINANCE:BTCUSDT'"),
        ({"pair": "BTC/USDT:USDT", "symbol": "BINANCE:BTCUSDT"}, "expected 'BINANCE:BTCUSDT.P'"),
        ({"strategy_id": "a b"}, "pattern"),
        ({"strategy_id": "$where"}, "pattern"),
        ({"timeframe": "7m"}, "expected one of 1m"),
        ({"stop_price": -1.0}, "greater than 0"),
        ({"unknown_field": 1}, "Extra inputs are not permitted"),
        ({"action": {"$ne": None}}, "Input should be"),
    ],
)
def test_a_row_that_breaks_the_contract_is_refused(given_fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        make_signal(**given_fields)


def test_as_of_shows_what_the_bus_showed_then() -> None:
    def revision(version: int, score: float) -> Revision:
        return Revision(
            signal=make_signal(score=score),
            version=version,
            available_at=NOON + timedelta(minutes=version),
            valid_until=NOON + timedelta(minutes=3),
            published_by="p",
        )

    published = PublishedSignal(
        signal=make_signal(score=0.3),
        version=3,
        available_at=NOON + timedelta(minutes=3),
        valid_until=NOON + timedelta(minutes=9),
        published_by="p",
        history=(revision(1, 0.1), revision(2, 0.2)),
    )

    def score_at(minutes: float) -> float | None:
        seen = published.as_of(NOON + timedelta(minutes=minutes))
        return seen.signal.score if seen else None

    assert [score_at(m) for m in (0.5, 1, 1.9, 2, 2.9, 3, 99)] == [None, 0.1, 0.1, 0.2, 0.2, 0.3, 0.3]
