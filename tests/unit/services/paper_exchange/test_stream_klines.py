"""What the kline streams tell, reading by reading; and what the frames of clients do."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.binance.stream_frames import answer_frame
from quantbus_services.paper_exchange.hub import Client, Stream, StreamHub
from quantbus_services.paper_exchange.kline_feed import kline_feed
from quantbus_services.paper_exchange.series import Bars
from quantbus_services.paper_exchange.venue import Venue
from tests.unit.services.paper_exchange.recordings import MINUTE, START, market_of, recording, venue_of

STREAM = Stream("spot", "BTCUSDT", "1m")
INTERVALS = ("1m", "5m")
COUNT = 400


def venue_at(minute: float, *, without: set[int] | None = None) -> tuple[Venue, FrozenClock]:
    clock = FrozenClock(datetime.fromtimestamp(START / 1000, tz=UTC) + timedelta(minutes=minute))
    return venue_of(market_of(recording(COUNT, without=without or set())), clock), clock


@settings(max_examples=40, deadline=None)
@given(
    pauses=st.lists(st.floats(0.05, 30), min_size=1, max_size=15),
    interval=st.sampled_from(["1m", "3m", "5m"]),
    without=st.sets(st.integers(0, COUNT - 1), max_size=60),
)
def test_every_bar_that_closes_is_told_once_however_long_the_readings_are_apart(
    pauses: list[float], interval: str, without: set[int]
) -> None:
    venue, clock = venue_at(20.5, without=without)
    feed, stream, step = kline_feed(venue), Stream("spot", "BTCUSDT", interval), int(interval[0]) * MINUTE
    _, mark = feed(stream, None)
    begun = mark or 0
    told: list[dict[str, Any]] = []
    for pause in pauses:
        if clock.now().timestamp() * 1000 + pause * MINUTE >= START + COUNT * MINUTE:
            break
        clock.advance(timedelta(minutes=pause))
        events, mark = feed(stream, mark)
        told += [event["k"] for event in events if event["k"]["x"]]
        assert [event["k"]["x"] for event in events].count(False) <= 1
        assert all(event["k"]["x"] for event in events[:-1])
    now_ms = venue.now_ms()
    timeframe = venue.spot.timeframes[interval]
    true = venue.spot.bars("BTCUSDT", timeframe, begun, now_ms // step * step, now_ms)
    assert [bar["t"] for bar in told] == true.open_time.tolist()
    assert [float(bar["c"]) for bar in told] == true.close.tolist()


def test_a_lens_changes_what_the_streams_tell() -> None:
    venue, clock = venue_at(20.5)
    feed = kline_feed(venue)
    _, mark = feed(STREAM, None)
    clock.advance(timedelta(minutes=3))
    venue.lens = lambda kind, name, timeframe, bars, now_ms: Bars.empty()
    assert feed(STREAM, mark)[0] == []


def test_a_stream_of_no_market_is_silent() -> None:
    venue, _ = venue_at(20.5)
    assert kline_feed(venue)(Stream("spot", "SOLUSDT", "1m"), None) == ([], None)


async def test_a_reading_that_fails_sends_every_client_away_and_the_next_one_is_served() -> None:
    broken = True

    def feed(stream: Stream, mark: int | None) -> tuple[list[dict[str, Any]], int | None]:
        if broken:
            raise ZeroDivisionError
        return [{"e": "kline"}], 1

    hub = StreamHub(feed)
    first = Client("spot", combined=False)
    first.streams = {STREAM.label: STREAM}
    hub.join(first)
    await first.ended()
    assert first.closing == (1011, "internal error: ZeroDivisionError()")
    hub.leave(first)
    broken = False
    second = Client("spot", combined=True)
    second.streams = {STREAM.label: STREAM}
    hub.join(second)
    assert json.loads(await second.next()) == {"stream": "btcusdt@kline_1m", "data": {"e": "kline"}}
    hub.leave(second)
    assert hub.dropped == {"internal error": 1}


def test_a_long_reason_fits_a_close_frame() -> None:
    client = Client("spot", combined=False)
    client.drop(1001, "ü" * 200)
    assert client.closing is not None
    assert len(client.closing[1].encode()) <= 123


@settings(max_examples=200, deadline=None)
@given(text=st.text(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(["method", "params", "id", "x"]), inner, max_size=4
    ),
    max_leaves=12,
).map(json.dumps))  # fmt: skip
def test_whatever_a_client_says_is_answered_with_json(text: str) -> None:
    client = Client("spot", combined=False)
    answer = json.loads(answer_frame(text, client, INTERVALS))
    assert "error" in answer or "result" in answer


@pytest.mark.parametrize("label", ["btcusdt@kline_7m", "btcusdt@depth", "kline_1m", "@kline_1m", ""])
def test_a_frame_with_an_unknown_stream_changes_nothing(label: str) -> None:
    client = Client("spot", combined=False)
    frame = json.dumps({"method": "SUBSCRIBE", "params": ["btcusdt@kline_1m", label], "id": 1})
    assert "error" in json.loads(answer_frame(frame, client, INTERVALS))
    assert client.streams == {}


def test_there_is_a_most_to_the_streams_of_a_connection() -> None:
    client = Client("spot", combined=False)
    many = [f"coin{number}usdt@kline_1m" for number in range(1_025)]
    frame = json.dumps({"method": "SUBSCRIBE", "params": many, "id": 1})
    assert "1024" in json.loads(answer_frame(frame, client, INTERVALS))["error"]["msg"]
