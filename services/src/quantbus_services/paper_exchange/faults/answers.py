"""Faults of the answer: rate limits, bans, errors, maintenance, pages that are no data."""

import json
import math
from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType

from quantbus_services.paper_exchange.faults.exchange import Answered, Ask, Headers, Quiet
from quantbus_services.paper_exchange.faults.spec import Behave, FaultSpec, Occasion, Parameter

__all__ = ["ANSWERS", "ban_answer", "refusal"]

_INGESTION = "tests/integration/ingestion/test_faults.py::test_the_series_is_whole_after_the_fault"
_JSON: Headers = (("Content-Type", "application/json"),)
_HTML: Headers = (("Content-Type", "text/html"),)
_PAGE = (
    "<!DOCTYPE HTML>\n<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD>"
    "<BODY><H1>{0} ERROR</H1><H2>The request could not be satisfied.</H2>Request blocked.</BODY></HTML>"
)
_SIGNED = ("*/order*", "*/account", "*/openOrders", "*/allOrders", "*/myTrades", "*/userTrades", "*/balance")
_SECONDS = "seconds of the exchange's clock"


def refusal(status: int, code: int, message: str, headers: Headers = ()) -> Answered:
    """Return an error as Binance words one."""
    return Answered(status, json.dumps({"code": code, "msg": message}).encode(), _JSON + headers)


def ban_answer(until_ms: int, now_ms: int) -> Answered:
    """Return what a banned client is told."""
    left = max(1, -(-(until_ms - now_ms) // 1000))
    message = f"Way too much request weight used; IP banned until {until_ms}. Please use WebSocket Streams."
    return refusal(418, -1003, message, (("Retry-After", str(left)),))


def _always(answer: Callable[[Occasion], Answered]) -> Behave:
    async def behave(event: Occasion, ask: Ask) -> Answered:
        return answer(event)

    return behave


def _page(status: int) -> Answered:
    return Answered(status, _PAGE.format(status).encode(), _HTML)


def _limited(event: Occasion) -> Answered:
    seconds = event.parameters.get("retry_after", 0)
    told = (("Retry-After", str(math.ceil(seconds))),) if seconds else ()
    answer = refusal(429, -1003, "Too much request weight used; current limit is 6000 per 1 MINUTE.", told)
    return replace(answer, quiet=Quiet(seconds)) if seconds else answer


def _banned(event: Occasion) -> Answered:
    seconds = event.parameters["seconds"]
    answer = ban_answer(event.now_ms + int(seconds * 1000), event.now_ms)
    return replace(answer, quiet=Quiet(seconds, is_ban=True))


def _maintenance(_: Occasion) -> Answered:
    return refusal(503, 1, "System is under maintenance.")


async def _cut_json(event: Occasion, ask: Ask) -> Answered:
    answer = await ask()
    return replace(answer, body=answer.body[: int(len(answer.body) * event.parameters["part"])])


_BACK = (
    "counts `unavailable`, asks again with growing pauses, and fetches what it missed once answers come back"
)
_GARBAGE = "stores nothing of it, counts `garbage` and asks again"

ANSWERS = (
    FaultSpec(
        "rate_limited",
        "answer",
        "429 with `Retry-After`",
        "sends nothing, from any of its tasks, until the time is over; then one request, then the rest",
        _INGESTION,
        _always(_limited),
        parameters=MappingProxyType({"retry_after": Parameter(5.0, "seconds asked for", least=1, most=3600)}),
    ),
    FaultSpec(
        "rate_limited_without_a_time",
        "answer",
        "429 without `Retry-After`",
        "the same, for a time of its own choice that doubles while the answers stay 429 (2 s to 1 min)",
        _INGESTION,
        _always(_limited),
    ),
    FaultSpec(
        "banned",
        "answer",
        "418: the address is banned, every request meanwhile is refused and counted",
        "sends no request inside the ban; a backfill waits out up to 15 minutes, the live loop any time",
        _INGESTION,
        _always(_banned),
        parameters=MappingProxyType(
            {"seconds": Parameter(120.0, f"length of the ban, in {_SECONDS}", least=1, most=3 * 86_400)}
        ),
    ),
    FaultSpec(
        "forbidden_page",
        "answer",
        "403 with an HTML page (the firewall in front of the venue)",
        "counts `unavailable` and sends nothing for a while, as after 429 without a time",
        _INGESTION,
        _always(lambda _: _page(403)),
    ),
    FaultSpec("server_error", "answer", "500", _BACK, _INGESTION,
              _always(lambda _: refusal(500, -1000, "An unknown error occurred while processing the request."))),
    FaultSpec("bad_gateway", "answer", "502 with an HTML page", _BACK, _INGESTION, _always(lambda _: _page(502))),
    FaultSpec("unavailable", "answer", "503 with an empty body", _BACK, _INGESTION,
              _always(lambda _: Answered(503, b""))),
    FaultSpec("gateway_timeout", "answer", "504 with an HTML page",
              "counts `timeout` and asks again with growing pauses", _INGESTION, _always(lambda _: _page(504))),
    FaultSpec(
        "maintenance",
        "answer",
        "503, system maintenance, for hours (as long as it is switched on)",
        "the live loop tries again after half a minute at most, and fetches all it missed once answers come back "
        "(after `max_failures` failed turns of every series in a row it exits with 1, to be started again); "
        "a backfill ends with an error, and goes on where it was when started again",
        "tests/integration/ingestion/test_faults.py::test_hours_of_maintenance_are_survived_and_made_up_for",
        _always(_maintenance),
    ),
    FaultSpec("page_with_200", "answer", "an HTML page with status 200", _GARBAGE, _INGESTION,
              _always(lambda _: _page(200))),
    FaultSpec("empty_with_200", "answer", "an empty body with status 200",
              "does not take it for \"no candles\": counts `garbage` and asks again", _INGESTION,
              _always(lambda _: Answered(200, b""))),
    FaultSpec(
        "cut_json",
        "answer",
        "status 200 and a correct length, but the JSON ends in the middle",
        _GARBAGE,
        _INGESTION,
        _cut_json,
        parameters=MappingProxyType({"part": Parameter(0.5, "how much of the body is left", most=1.0)}),
    ),
    FaultSpec(
        "clock_error",
        "answer",
        "400, code −1021: timestamp outside of the receive window",
        "counts `clock`, measures the difference of the clocks anew and asks again",
        _INGESTION,
        _always(lambda _: refusal(400, -1021, "Timestamp for this request is outside of the recvWindow.")),
    ),
    FaultSpec(
        "auth_error",
        "answer",
        "401, code −2015: invalid key, address or permissions",
        "counts `forbidden` and does not insist: the request is not repeated before the next cycle",
        "tests/integration/ingestion/test_faults.py::test_a_refused_key_is_not_insisted_on",
        _always(lambda _: refusal(401, -2015, "Invalid API-key, IP, or permissions for action.")),
        paths=_SIGNED,
    ),
)  # fmt: skip
