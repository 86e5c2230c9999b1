"""What really happens on the wire, seen by a bare socket; and the commands that switch it."""

import json
import re
import socket
import time
from collections.abc import Iterator

import pytest
from typer.testing import CliRunner

from quantbus_services.paper_exchange import PaperExchange
from quantbus_services.paper_exchange.cli import app

pytestmark = pytest.mark.integration
REQUEST = b"GET /api/v3/exchangeInfo HTTP/1.1\r\nHost: paper\r\n\r\n"


@pytest.fixture(scope="module")
def running() -> Iterator[PaperExchange]:
    with PaperExchange(symbols="BTC/USDT", seed=7, history="2d") as paper:
        yield paper


@pytest.fixture
def paper(running: PaperExchange) -> PaperExchange:
    quantbus("faults", "clear", "--url", running.url)
    return running


def quantbus(*words: str) -> str:
    done = CliRunner().invoke(app, list(words), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def set_fault(paper: PaperExchange, *words: str) -> None:
    quantbus("faults", "set", *words, "--url", paper.url)


def exchanged(paper: PaperExchange) -> tuple[bytes, str]:
    """Ask once; return what came, and how the connection ended."""
    host, port = paper.url.removeprefix("http://").split(":")
    came = b""
    with socket.create_connection((host, int(port)), timeout=5) as connection:
        connection.sendall(REQUEST)
        try:
            while part := connection.recv(65_536):
                came += part
                if announced(came) == len(body_of(came)):
                    return came, "whole"
        except ConnectionResetError:
            return came, "reset"
    return came, "closed"


def body_of(came: bytes) -> bytes:
    return came.partition(b"\r\n\r\n")[2]


def announced(came: bytes) -> int:
    found = re.search(rb"content-length: (\d+)", came.lower())
    return int(found[1]) if found else -1


def test_without_a_fault_the_answer_is_whole(paper: PaperExchange) -> None:
    came, end = exchanged(paper)

    assert end == "whole"
    assert json.loads(body_of(came))["timezone"] == "UTC"


def test_a_reset_comes_in_the_middle_of_the_body(paper: PaperExchange) -> None:
    set_fault(paper, "reset_mid_body", "part=0.4")

    came, end = exchanged(paper)

    assert end == "reset"
    assert len(body_of(came)) < announced(came)


def test_a_truncated_body_is_shorter_than_its_announced_length(paper: PaperExchange) -> None:
    set_fault(paper, "truncated_body", "part=1")

    came, end = exchanged(paper)

    assert end == "closed"
    assert len(body_of(came)) == announced(came) - 1


def test_a_dropped_connection_is_reset_before_the_first_byte(paper: PaperExchange) -> None:
    set_fault(paper, "connection_dropped")

    assert exchanged(paper) == (b"", "reset")


def test_a_slow_answer_takes_its_time_and_is_whole(paper: PaperExchange) -> None:
    set_fault(paper, "slow_answer", "seconds=0.4")
    began = time.monotonic()

    _, end = exchanged(paper)

    assert end == "whole"
    assert time.monotonic() - began >= 0.4


def test_no_answer_is_none_until_the_connection_ends(paper: PaperExchange) -> None:
    set_fault(paper, "no_answer", "seconds=0.3")
    began = time.monotonic()

    assert exchanged(paper) == (b"", "reset")
    assert time.monotonic() - began >= 0.3


def test_the_commands_show_what_is_on_and_what_was_counted(paper: PaperExchange) -> None:
    set_fault(paper, "server_error", "every=2")
    for _ in range(4):
        exchanged(paper)

    told = json.loads(quantbus("faults", "list", "--url", paper.url, "--json"))
    assert told["active"] == {"server_error": {"every": 2}}
    assert told["injected"]["server_error"] == 2
    quantbus("faults", "clear", "server_error", "--url", paper.url)
    assert json.loads(quantbus("faults", "list", "--url", paper.url, "--json"))["active"] == {}


def test_the_catalogue_is_listed_without_an_exchange() -> None:
    names = [row["name"] for row in json.loads(quantbus("faults", "list", "--json"))["faults"]]

    assert {"banned", "reset_mid_body", "nan_candle", "clock_jump"} <= set(names)
    assert "reset_mid_body" in quantbus("faults", "list")
