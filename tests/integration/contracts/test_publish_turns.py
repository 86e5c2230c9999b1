"""The line of publishers in a real database: first come, first served, and the dead drop out."""

from datetime import timedelta

import pytest

from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.publish_turns import Place
from quantbus_contracts.mongo.steps import Row
from quantbus_contracts.testing import make_signal

pytestmark = pytest.mark.integration
LEASE_SECONDS = 3


def line(connection: Connection) -> list[Row]:
    """Return the line as it stands now, which a majority need not have seen."""
    stored = connection.client[connection.settings.signals_db]["publish_turns"]
    row = stored.find_one({"_id": "crowd"}) or {"line": []}
    return list(row["line"])


def join(connection: Connection) -> tuple[Place, int]:
    place = Place("crowd")
    ahead, _ = connection.run(place._ask())
    return place, ahead


def test_places_are_given_in_order_and_move_up(connection: Connection) -> None:
    places = [join(connection) for _ in range(3)]
    assert [ahead for _, ahead in places] == [0, 1, 2]
    connection.run(places[0][0].leave())
    assert [connection.run(place._ask())[0] for place, _ in places[1:]] == [0, 1]
    assert len(line(connection)) == 2, "who asks again keeps its place and takes no second"


def test_who_has_not_asked_for_long_drops_out(connection: Connection) -> None:
    dead, _ = join(connection)
    (stored,) = line(connection)
    passed = connection.server_now() - timedelta(milliseconds=1)
    connection.collection("publish_turns").update_one({"_id": "crowd"}, {"$set": {"line.0.until": passed}})
    _, ahead = join(connection)
    assert ahead == 0
    assert stored["who"] not in {place["who"] for place in line(connection)}
    assert connection.run(dead._ask())[0] == 1, "it may join again, behind the others"


def test_a_place_is_kept_for_three_seconds(connection: Connection) -> None:
    join(connection)
    (stored,) = line(connection)
    left = stored["until"] - connection.server_now()
    assert timedelta() < left <= timedelta(seconds=LEASE_SECONDS)


def test_a_line_that_nobody_serves_does_not_keep_a_lone_publisher_from_publishing(
    connection: Connection,
) -> None:
    for _ in range(5):
        join(connection)
    report = SignalBus(connection).publish([make_signal(strategy_id="crowd")])
    assert report.inserted == 1


def test_publishers_that_met_leave_an_empty_line(connection: Connection) -> None:
    bus = SignalBus(connection)
    bus.publish([make_signal(strategy_id="crowd", score=0.1)])
    bus._desk._crowded["crowd"] = 0.01  # as after a meeting
    assert bus.publish([make_signal(strategy_id="crowd", score=0.2)]).revised == 1
    assert line(connection) == []
    assert bus._desk._crowded == {}, "it was alone"
