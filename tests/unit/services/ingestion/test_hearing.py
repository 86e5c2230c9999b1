import asyncio
from typing import Any

import ccxt.async_support as ccxt
import pytest

from quantbus_services.ingestion.venue.gate import Gate, Held
from quantbus_services.ingestion.venue.hearing import hearing, listen, says_something


class Exchange:
    """Answers what an address says: seconds, status and Retry-After."""

    def __init__(self) -> None:
        self.sent: list[str] = []

    async def fetch(self, url: str, method: str, headers: Any, body: Any) -> str:
        self.sent.append(url)
        seconds, status, retry_after = url.split("/")
        await asyncio.sleep(float(seconds))
        answered = {"Retry-After": retry_after} if retry_after else {}
        text = str(self.on_rest_response(int(status), "", url, method, answered, url, {}, None))
        await asyncio.sleep(0)  # as aiohttp does between the answer and what is made of it
        if status in ("418", "429"):
            raise ccxt.DDoSProtection(status)
        if status == "503":
            raise ccxt.ExchangeNotAvailable(status)
        return text

    def on_rest_response(self, *answer: Any) -> Any:
        return answer[5]


async def test_of_many_answers_at_once_each_call_hears_its_own() -> None:
    exchange = Exchange()
    listen(exchange, Gate())

    async def ask(url: str) -> tuple[int, str]:
        with hearing() as heard:
            await exchange.fetch(url, "GET", None, None)
            await asyncio.sleep(0.01)
        return heard.status, heard.text

    urls = [f"{number / 1000}/{200 + number}/" for number in (9, 1, 7, 3, 5)]

    assert await asyncio.gather(*map(ask, urls)) == [(int(url.split("/")[1]), url) for url in urls]


async def test_a_task_started_inside_a_call_is_heard_by_the_call() -> None:
    exchange = Exchange()
    listen(exchange, Gate())

    with hearing() as heard:
        await asyncio.create_task(exchange.fetch("0/200/", "GET", None, None))

    assert heard.status == 200


async def test_the_first_429_stops_what_others_would_send() -> None:
    exchange = Exchange()
    gate = Gate()
    listen(exchange, gate)

    with pytest.raises(ccxt.DDoSProtection):
        await exchange.fetch("0/429/7", "GET", None, None)
    with pytest.raises(Held):
        await exchange.fetch("0/200/", "GET", None, None)

    assert exchange.sent == ["0/429/7"]
    assert gate.seconds_left == pytest.approx(7.05, abs=0.5)


async def test_a_venue_that_is_merely_down_may_be_asked_again() -> None:
    exchange = Exchange()
    gate = Gate()
    listen(exchange, gate)

    with pytest.raises(ccxt.ExchangeNotAvailable):
        await exchange.fetch("0/503/", "GET", None, None)

    assert gate.seconds_left == 0


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[]", True),
        ('{"code":"0","data":[]}', True),
        ("", False),
        ("  ", False),
        ("<html>1</html>", False),
        ('[[1,"2"],[3', False),
        ("null", False),
        ("{}", False),
    ],
)
def test_a_body_says_something_if_it_is_json_with_content(text: str, says: bool) -> None:
    assert says_something(text) is says
