"""The worker's process with a second loop in the shadow of the first, by the clock of a real bus."""

import json
import signal
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.runtime.settings import MongoSettings
from tests.integration.research.test_research_run import Desk, a_desk, present_bars, small, wait_until
from tests.unit.research.panels import MINUTE, make_panel
from tests.unit.research.sessions import candles_of

pytestmark = [pytest.mark.integration, pytest.mark.proof]


@pytest.fixture
def own_desk(mongo_settings: MongoSettings, tmp_path: Path) -> Iterator[Desk]:
    with a_desk(mongo_settings, tmp_path / "home") as made:
        yield made


@pytest.mark.timeout(300)
def test_both_loops_of_one_process_speak_about_the_same_bars_and_are_compared(
    connection: Connection, own_desk: Desk
) -> None:
    newest = present_bars(connection, 220)
    reader = SignalReader(connection)
    options = small("nodes.publish.on_late=publish_degraded")
    process = own_desk.start("run", "demo", "--loop", "--shadow", "candidate", *options)

    def evaluated(strategy_id: str) -> set[datetime]:
        hour = timedelta(hours=1)
        return {run.ts for run in reader.runs(strategy_id, MINUTE, newest - hour, newest + hour)}

    def both() -> set[datetime]:
        assert process.poll() is None, process.communicate()[1]
        return evaluated("demo") & evaluated("demo.shadow")

    wait_until(both, 90)
    following = max(both()) + MINUTE.delta
    panel = make_panel(3, start=following)
    wait_until(lambda: SystemClock().now() >= following + MINUTE.delta, 65)
    CandleWriter(connection).write(candles_of(panel[panel.index.get_level_values(1) == following]))
    wait_until(lambda: following in both(), 55)
    beats = {beat.instance for beat in HeartbeatStore(connection).all() if beat.process == "research"}
    assert beats == {"demo", "demo.shadow"}
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=20)
    assert process.returncode == 0

    code, out, err = own_desk.run("shadow", "demo", "--json")
    assert code == 0, err
    told = json.loads(out)
    assert told["bars"] >= 2
    assert {pair["same_word"] for pair in told["pairs"]} == {told["bars"]}, "the same recipe, the same model"
    assert told["entries_of_one"] == []
