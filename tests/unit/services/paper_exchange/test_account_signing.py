"""Keys, signatures, timestamps and permissions."""

import pytest

from quantbus_services.paper_exchange.accounts.records import ApiKey
from quantbus_services.paper_exchange.accounts.registry import KeyRequest
from tests.unit.services.paper_exchange.account_kit import Bench

ACCOUNT = "/api/v3/account"


@pytest.fixture
def bench() -> Bench:
    return Bench()


async def test_a_signed_request_is_answered(bench: Bench) -> None:
    account = await bench.ask("GET", ACCOUNT)
    assert account["balances"] == [{"asset": "USDT", "free": "10000.00000000", "locked": "0.00000000"}]


async def test_nobody_is_told_anything_without_a_known_key(bench: Bench) -> None:
    bare = await bench.client.get(ACCOUNT)
    assert (bare.status_code, bare.json()["code"]) == (401, -2014)
    stranger = ApiKey(api_key="unknown-key", secret="any-secret", account="bot")
    assert await bench.code("GET", ACCOUNT, key=stranger) == (401, -2015)


async def test_a_wrong_secret_is_a_wrong_signature(bench: Bench) -> None:
    forged = bench.key.model_copy(update={"secret": "not-the-secret"})
    assert await bench.code("GET", ACCOUNT, key=forged) == (400, -1022)


async def test_a_parameter_changed_on_the_way_is_a_wrong_signature(bench: Bench) -> None:
    sent = await bench.send("GET", ACCOUNT, recvWindow=5000)
    request = sent.request
    changed = str(request.url).replace("recvWindow=5000", "recvWindow=9000")
    reply = await bench.client.get(changed, headers=request.headers)
    assert (reply.status_code, reply.json()["code"]) == (400, -1022)


@pytest.mark.parametrize(
    ("off_ms", "window", "code"),
    [
        (-5_001, None, -1021),
        (1_000, None, -1021),
        (-2_001, 2_000, -1021),
        (0, 60_001, -1131),
    ],
)
async def test_requests_out_of_time_are_refused(
    bench: Bench, off_ms: int, window: int | None, code: int
) -> None:
    more = {} if window is None else {"recvWindow": window}
    timestamp = bench.venue.now_ms() + off_ms
    assert await bench.code("GET", ACCOUNT, timestamp=timestamp, **more) == (400, code)


@pytest.mark.parametrize(("off_ms", "window"), [(-5_000, None), (999, None), (-60_000, 60_000)])
async def test_requests_just_in_time_are_answered(bench: Bench, off_ms: int, window: int | None) -> None:
    more = {} if window is None else {"recvWindow": window}
    await bench.ask("GET", ACCOUNT, timestamp=bench.venue.now_ms() + off_ms, **more)


async def test_a_timestamp_must_be_sent(bench: Bench) -> None:
    assert await bench.code("GET", ACCOUNT, timestamp="") == (400, -1102)


async def test_query_and_body_are_signed_together(bench: Bench) -> None:
    import hashlib
    import hmac

    query = f"symbol=BTCUSDT&side=BUY&type=MARKET&timestamp={bench.venue.now_ms()}"
    body = "quantity=0.01"
    signature = hmac.new(bench.key.secret.encode(), (query + body).encode(), hashlib.sha256).hexdigest()
    reply = await bench.client.post(
        f"/api/v3/order?{query}",
        content=f"{body}&signature={signature}",
        headers={"X-MBX-APIKEY": bench.key.api_key},
    )
    assert reply.json()["status"] == "FILLED"


async def test_a_read_only_key_reads_and_does_nothing_else(bench: Bench) -> None:
    (key,) = bench.open_account("reader", KeyRequest(can_trade=False))
    account = await bench.ask("GET", ACCOUNT, key=key)
    assert account["canTrade"] is False
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET", "quantity": "0.01"}
    for path in ("/api/v3/order", "/api/v3/order/test", "/fapi/v1/order"):
        assert await bench.code("POST", path, key=key, **order) == (401, -2015)
    assert await bench.code("POST", "/fapi/v1/leverage", key=key, symbol="BTCUSDT", leverage=2) == (
        401,
        -2015,
    )
    assert await bench.code("DELETE", "/api/v3/openOrders", key=key, symbol="BTCUSDT") == (401, -2015)


async def test_a_key_without_futures_sees_none(bench: Bench) -> None:
    (key,) = bench.open_account("spot-only", KeyRequest(can_use_futures=False))
    assert await bench.code("GET", "/fapi/v3/account", key=key) == (401, -2015)


async def test_a_key_tells_what_it_may_do(bench: Bench) -> None:
    safe, careless = bench.open_account(
        "two-keys", KeyRequest(can_trade=False), KeyRequest(can_withdraw=True)
    )
    path = "/sapi/v1/account/apiRestrictions"
    first, second = [await bench.ask("GET", path, key=key) for key in (safe, careless)]
    assert (first["enableWithdrawals"], first["enableSpotAndMarginTrading"]) == (False, False)
    assert (second["enableWithdrawals"], second["enableSpotAndMarginTrading"]) == (True, True)
    assert (await bench.ask("GET", ACCOUNT, key=careless))["canWithdraw"] is True


async def test_accounts_do_not_see_each_other(bench: Bench) -> None:
    (other,) = bench.open_account("other")
    mine = await bench.limit("BUY", bench.price() * 9 / 10, "0.01")
    named = {"symbol": "BTCUSDT", "orderId": mine["orderId"]}
    assert await bench.code("GET", "/api/v3/order", key=other, **named) == (400, -2013)
    assert await bench.code("DELETE", "/api/v3/order", key=other, **named) == (400, -2011)
    assert await bench.ask("GET", "/api/v3/openOrders", key=other) == []
