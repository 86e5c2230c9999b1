"""``quantbus risk`` as operators run it."""

from datetime import datetime, timedelta

import pytest

from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.restraints import RestraintReader
from tests.fixtures.command import Run

pytestmark = pytest.mark.integration


def test_a_row_stands_for_its_time_with_its_evidence_and_is_what_a_bot_reads(
    quantbus: Run, connection: Connection
) -> None:
    now = connection.server_now()
    row = ("risk", "set", "demo", "--pair", "BTC/USDT", "--level", "warn", "--stake-scale", "0.5")
    told = quantbus(*row, "--reason", "drift", "--evidence", "run-17", "--for", "2h", "--json").json
    assert (told["level"], told["stake_scale"], told["evidence"]) == ("warn", 0.5, "run-17")
    until = datetime.fromisoformat(told["expires_at"])
    assert timedelta(hours=2) <= until - now < timedelta(hours=2, minutes=2), "by the database's clock"
    (read,) = RestraintReader(connection).in_force("demo").states
    assert read.model_dump(mode="json", exclude_none=True) == told
    assert RestraintReader(connection).in_force("other").states == ()


def test_it_says_what_the_row_does(quantbus: Run) -> None:
    warn = ("risk", "set", "demo", "--level", "warn", "--reason", "drift")
    assert "entries go on" in quantbus(*warn).out
    assert "entries at 25% of the stake" in quantbus(*warn, "--stake-scale", "0.25").out
    assert "no entries" in quantbus(*warn, "--block-entries").out
    assert "no entries" in quantbus("risk", "set", "demo", "--level", "crit", "--reason", "[red]x[/red]").out
    table = quantbus("risk", "list").out
    assert "crit" in table
    assert "[red]x[/red]" in table


def test_clearing_ends_one_row_and_the_list_can_still_show_it(quantbus: Run) -> None:
    assert quantbus("risk", "list").out.strip() == "no risk rows are in force"
    for pair in ("*", "BTC/USDT"):
        assert (
            quantbus("risk", "set", "demo", "--pair", pair, "--level", "crit", "--reason", "news").code == 0
        )
    assert "it is cleared" in quantbus("risk", "list").out, "cleared alone would read as though it were"
    assert quantbus("risk", "clear", "demo").code == 0
    again = quantbus("risk", "clear", "demo", "--json")
    assert (again.code, again.json) == (1, {"cleared": False})
    assert [item["pair"] for item in quantbus("risk", "list", "--json").json] == ["BTC/USDT"]
    every = quantbus("risk", "list", "--all", "--strategy-id", "demo", "--json").json
    assert [(item["pair"], item["in_force"], "cleared_by" in item) for item in every] == [
        ("*", False, True),
        ("BTC/USDT", True, False),
    ]
    assert quantbus("risk", "list", "--all", "--strategy-id", "other", "--json").json == []


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("set", "a b", "--level", "warn", "--reason", "x"), "STRATEGY"),
        (("set", "demo", "--pair", "BTCUSDT", "--level", "warn", "--reason", "x"), "--pair"),
        (("set", "demo", "--level", "warn", "--reason", " "), "--reason"),
        (("set", "demo", "--level", "warn", "--reason", "x", "--for", "soon"), "--for"),
        (("set", "demo", "--level", "warn", "--reason", "x", "--stake-scale", "2"), "--stake-scale"),
        (("set", "demo", "--level", "doom", "--reason", "x"), "--level"),
        (("clear", "demo", "--pair", "BTCUSDT"), "--pair"),
    ],
)
def test_what_is_wrong_is_named(quantbus: Run, arguments: tuple[str, ...], told: str) -> None:
    done = quantbus("risk", *arguments)
    assert done.code == 2
    assert told in done.err
