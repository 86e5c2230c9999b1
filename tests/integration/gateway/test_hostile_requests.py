"""Requests that nobody sends by mistake: none is accepted, none breaks anything, none reaches a query."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from quantbus_contracts.mongo.client import Connection
from tests.integration.gateway.running import Gateway

pytestmark = pytest.mark.integration

ROW: dict[str, Any] = {
    "strategy_id": "demo",
    "symbol": "BINANCE:BTCUSDT",
    "pair": "BTC/USDT",
    "timeframe": "1m",
    "ts": "2026-01-05T12:00:00Z",
    "action": "enter_long",
}
_HALF = "\\ud83d"


def _with(**given: object) -> bytes:
    return json.dumps([ROW | given]).encode()


def _raw(field: str, text: str) -> bytes:
    """Return a batch whose ``field`` has ``text`` as it stands, JSON or not."""
    rest = json.dumps({name: value for name, value in ROW.items() if name != field})
    return f'[{rest[:-1]}, "{field}": {text}}}]'.encode()


ROWS: dict[str, bytes] = {
    "operator as a strategy": _with(strategy_id={"$ne": None}),
    "operator as a pair": _with(pair={"$gt": ""}),
    "operator as a time": _with(ts={"$gte": "2000-01-01T00:00:00Z"}),
    "operator as a number": _with(weight={"$gt": 0}),
    "operator as a note": _with(note={"$function": {"body": "function(){}", "args": [], "lang": "js"}}),
    "where clause": _with(**{"$where": "sleep(1000)"}),
    "dollar key": _with(**{"$set": {"action": "exit_long"}}),
    "dotted key": _with(**{"history.0.action": "exit_long"}),
    "empty key": _with(**{"": 1}),
    "proto key": _with(__proto__={"admin": True}),
    "id": _with(_id="0" * 32),
    "version": _with(version=200),
    "history": _with(history=[]),
    "available_at": _with(available_at="2020-01-01T00:00:00Z"),
    "published_by": _with(published_by="operator"),
    "signal_id": _with(signal_id="0" * 32),
    "batch_id": _with(batch_id="x"),
    "extended JSON date": _with(ts={"$date": "2026-01-05T12:00:00Z"}),
    "extended JSON number": _with(weight={"$numberDouble": "NaN"}),
    "extended JSON id": _with(strategy_id={"$oid": "0" * 24}),
    "list as a strategy": _with(strategy_id=["demo", "other"]),
    "number as a strategy": _with(strategy_id=1),
    "null strategy": _with(strategy_id=None),
    "true as a number": _with(weight=True),
    "text as a number": _with(weight="0.5"),
    "text infinity as a number": _with(score="Infinity"),
    "list as a number": _with(score=[0.5]),
    "number as an action": _with(action=1),
    "unknown action": _with(action="enter_long; drop"),
    "number as a time": _with(ts=1767614400),
    "text of digits as a time": _with(ts="1767614400"),
    "time without a zone": _with(ts="2026-01-05T12:00:00"),
    "time of no day": _with(ts="2026-02-30T12:00:00Z"),
    "time of no bar": _with(ts="2026-01-05T12:00:30Z"),
    "time at the end of all": _with(ts="9999-12-31T23:59:00Z"),
    "time before the beginning": _with(ts="0001-01-01T00:00:00+14:00"),
    "time with other digits": _with(ts="２０２６-01-05T12:00:00Z"),
    "an end at the end of all": _with(valid_until="9999-12-31T23:59:59Z"),
    "an end before the close": _with(valid_until="2026-01-05T12:00:00Z"),
    "timeframe of another world": _with(timeframe="7m"),
    "empty strategy": _with(strategy_id=""),
    "long strategy": _with(strategy_id="a" * 65),
    "strategy with a line end": _with(strategy_id="demo\n"),
    "strategy with a path": _with(strategy_id="../../etc/passwd"),
    "strategy that looks like another": _with(strategy_id="dеmo"),  # a Cyrillic letter
    "pair with look-alikes": _with(pair="ВТС/USDT", symbol="BINANCE:ВТСUSDT"),
    "pair in full width": _with(pair="ＢＴＣ/USDT", symbol="BINANCE:ＢＴＣUSDT"),
    "pair with an invisible sign": _with(pair="BTC\u200b/USDT", symbol="BINANCE:BTC\u200bUSDT"),
    "pair written right to left": _with(pair="BTC\u202e/USDT", symbol="BINANCE:BTC\u202eUSDT"),
    "pair with a combining mark": _with(pair="BTC\u0301/USDT", symbol="BINANCE:BTC\u0301USDT"),
    "symbol of another pair": _with(symbol="BINANCE:ETHUSDT"),
    "long note": _with(note="x" * 1_001),
    "too much weight": _with(weight=1.0000001),
    "price below nothing": _with(stop_price=-1),
    "leverage of a gambler": _with(leverage=1e9),
    "nested row": json.dumps([[ROW]]).encode(),
    "row as text": json.dumps([json.dumps(ROW)]).encode(),
    "null row": b"[null]",
    "number row": b"[1e308]",
}

BODIES: dict[str, bytes] = {
    "NUL in a text": _with(note="a\x00b"),
    "NUL in a key": _with(**{"no\x00te": "x"}),
    "raw NUL": b'[{"strategy_id": "demo\x00"}]',
    "escape character": _with(note="\x1b[2J"),
    "NaN": _raw("weight", "NaN"),
    "Infinity": _raw("weight", "Infinity"),
    "minus Infinity": _raw("score", "-Infinity"),
    "1e400": _raw("weight", "1e400"),
    "minus 1e400": _raw("weight", "-1e400"),
    "tiny exponent spelt long": _raw("weight", "0." + "0" * 5_000 + "1"),
    "number of many digits": _raw("weight", "9" * 5_000),
    "hexadecimal": _raw("weight", "0x10"),
    "leading zero": _raw("weight", "01"),
    "half a surrogate pair": _raw("note", f'"{_HALF}"'),
    "twin keys": _raw("action", '"exit_long", "action": "enter_long"'),
    "twin keys by an escape": _raw("action", '"exit_long", "\\u0061ction": "enter_long"'),
    "deep lists": b"[" * 5_000 + b"]" * 5_000,
    "deep objects": b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
    "very deep and not closed": b"[" * 500_000,
    "a little too deep": _with(note=[[[[[[[[["x"]]]]]]]]]),
    "bytes that are not UTF-8": b'[{"strategy_id": "d\xff\xfemo"}]',
    "overlong UTF-8": b'[{"strategy_id": "d\xc0\xaemo"}]',
    "UTF-16": json.dumps([ROW]).encode("utf-16"),
    "byte order mark": b"\xef\xbb\xbf" + json.dumps([ROW]).encode(),
    "nothing": b"",
    "blanks": b"  \n ",
    "not closed": b'[{"strategy_id": "demo"',
    "two values": json.dumps([ROW]).encode() * 2,
    "comment": b"/* */" + json.dumps([ROW]).encode(),
    "single quotes": str([ROW]).encode(),
    "trailing comma": b"[1,]",
    "lines of JSON": b"\n".join([json.dumps(ROW).encode()] * 2),
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "pickle": b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00\x8c\x05posix\x94.",
    "a text": b'"signals"',
    "a number": b"1",
    "null": b"null",
    "an object of something else": b'{"rows": []}',
    "signals of no list": b'{"signals": {"$ne": null}}',
    "more beside the signals": json.dumps({"signals": [ROW], "admin": True}).encode(),
    "operator as an expected version": json.dumps(
        {"signals": [ROW], "expected_versions": {"0" * 32: {"$gt": 0}}}
    ).encode(),
    "operator as a signal's id": json.dumps({"signals": [ROW], "expected_versions": {"$where": 1}}).encode(),
    "text as an expected version": json.dumps(
        {"signals": [ROW], "expected_versions": {"0" * 32: "1"}}
    ).encode(),
    "too many rows": json.dumps([ROW] * 1_001).encode(),
    "a huge body": b'[{"note": "' + b"x" * 1_100_000 + b'"}]',
    "a huge list of nothing": b"[" + b"0," * 600_000 + b"0]",
}

QUERIES: dict[str, str] = {
    "operator by brackets": "strategy_id[$ne]=x&timeframe=1m",
    "operator as a value": 'strategy_id={"$ne":null}&timeframe=1m',
    "operator as a pair": "strategy_id=demo&timeframe=1m&pair[$gt]=&start={}",
    "NUL": "strategy_id=demo%00&timeframe=1m",
    "broken UTF-8": "strategy_id=%ff%fe&timeframe=1m",
    "no timeframe": "strategy_id=demo",
    "timeframe of another world": "strategy_id=demo&timeframe=7m",
    "limit of nothing": "strategy_id=demo&timeframe=1m&limit=0",
    "limit beyond": "strategy_id=demo&timeframe=1m&limit=1000000",
    "limit of text": "strategy_id=demo&timeframe=1m&limit=all",
    "limit of many digits": "strategy_id=demo&timeframe=1m&limit=" + "9" * 5_000,
    "digits as a time": "strategy_id=demo&timeframe=1m&start=1767614400",
    "time at the end of all": "strategy_id=demo&timeframe=1m&end=9999-12-31T23:59:59Z",
    "time of no day": "strategy_id=demo&timeframe=1m&as_of=2026-13-45T00:00:00Z",
    "view of the admin": "strategy_id=demo&timeframe=1m&view=all",
    "cursor of blanks": "strategy_id=demo&timeframe=1m&cursor=%20",
    "cursor of no JSON": "strategy_id=demo&timeframe=1m&cursor=AAAA",
    "cursor with an operator": "strategy_id=demo&timeframe=1m&cursor=W3siJGd0IjoiIn0sMF0",
    "cursor of infinity": "strategy_id=demo&timeframe=1m&cursor=WyJhIiwgMWU0MDBd",
    "cursor of many digits": "strategy_id=demo&timeframe=1m&cursor=WyJhIiw5OTk5OTk5OTk5OTk5OTk5OTk5OTk5XQ",
    "too many pairs": "strategy_id=demo&timeframe=1m" + "&pair=BTC/USDT" * 201,
}


@pytest.fixture
def client(gateway: Gateway) -> httpx.Client:
    return gateway.publisher()


def stored(connection: Connection) -> int:
    return connection.client[connection.names.of("crypto_signals")]["crypto_signals"].count_documents({})


def assert_refused(answer: httpx.Response, connection: Connection) -> None:
    assert 400 <= answer.status_code < 500, answer.text
    error = answer.json()["error"]
    assert error["code"]
    assert error["message"]
    for inside in ("Traceback", "pymongo", "pydantic", ".py", "mongodb"):
        assert inside not in answer.text
    assert stored(connection) == 0


def test_there_are_enough_of_them() -> None:
    assert len(ROWS) + len(BODIES) + len(QUERIES) >= 60


def test_the_row_that_they_spoil_is_a_good_one(client: httpx.Client) -> None:
    assert client.post("/v1/signals", json=[ROW]).status_code == 200


@pytest.mark.parametrize("name", ROWS)
def test_a_hostile_row_is_refused(name: str, client: httpx.Client, connection: Connection) -> None:
    answer = client.post("/v1/signals", content=ROWS[name], headers={"Content-Type": "application/json"})
    assert_refused(answer, connection)
    assert answer.status_code == 422
    assert answer.json()["error"]["report"]["rejected"] == 1


@pytest.mark.parametrize("name", BODIES)
def test_a_hostile_body_is_refused(name: str, client: httpx.Client, connection: Connection) -> None:
    answer = client.post("/v1/signals", content=BODIES[name], headers={"Content-Type": "application/json"})
    assert_refused(answer, connection)


@pytest.mark.parametrize("name", QUERIES)
def test_a_hostile_query_is_refused(name: str, client: httpx.Client, connection: Connection) -> None:
    assert_refused(client.get(f"/v1/signals?{QUERIES[name]}"), connection)


@pytest.mark.parametrize(
    "path", ["/v1/signals/$ne", "/v1/signals/%00", "/v1/signals/..%2f..%2fetc", "/v1/signals/" + "a" * 3_000]
)
def test_a_hostile_id_is_refused(path: str, client: httpx.Client, connection: Connection) -> None:
    assert_refused(client.get(path), connection)


def test_a_body_without_a_length_is_counted_while_it_arrives(
    client: httpx.Client, connection: Connection
) -> None:
    sent = 0

    def endless() -> Iterator[bytes]:
        nonlocal sent
        while sent < 200_000_000:
            sent += 65_536
            yield b" " * 65_536

    try:
        answer = client.post("/v1/signals", content=endless(), headers={"Content-Type": "application/json"})
        assert answer.status_code == 413
        assert_refused(answer, connection)
    except httpx.TransportError:  # it may hang up on whoever goes on sending
        pass
    assert sent < 100_000_000


@pytest.mark.parametrize(
    "media_type", ["text/plain", "application/x-www-form-urlencoded", "", "application/xml"]
)
def test_a_body_that_is_not_called_json_is_refused(
    media_type: str, client: httpx.Client, connection: Connection
) -> None:
    answer = client.post("/v1/signals", content=json.dumps([ROW]), headers={"Content-Type": media_type})
    assert answer.status_code == 415
    assert_refused(answer, connection)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 404),
        ("GET", "/v1/signals/", 404),
        ("GET", "/docs", 404),
        ("GET", "/v1/keys", 404),
        ("DELETE", "/v1/signals", 405),
        ("PUT", "/v1/signals", 405),
        ("GET", "/v1/hooks/tradingview/demo", 405),
        ("POST", "/metrics", 405),
    ],
)
def test_what_is_not_there_has_the_shape_of_an_error(
    method: str, path: str, status: int, client: httpx.Client
) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status
    assert set(answer.json()) == {"error"}
    assert (status == 405) == ("Allow" in answer.headers)


def test_a_note_is_stored_as_it_was_written(client: httpx.Client, gateway: Gateway) -> None:
    note = "$where: {$gt: ''} ' OR 1=1 -- <script>alert(1)</script> 币安人生 👨‍👩‍👧"
    assert client.post("/v1/signals", json=[ROW | {"note": note}]).status_code == 200
    assert client.post("/v1/signals", json=[ROW | {"note": note, "score": 0.1}]).json()["revised"] == 1
    shown = client.get("/v1/signals", params={"strategy_id": "demo", "timeframe": "1m"}).json()
    assert shown["signals"][0]["signal"]["note"] == note
