"""The shadow compared with the live strategy, from the command line, on a real bus."""

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from quantbus_contracts import SignalBus
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import PublishRun
from quantbus_research.cli import app
from tests.fixtures.command import environment_of
from tests.unit.research.panels import MINUTE, make_panel
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration


def test_a_shadow_is_compared_and_one_that_never_spoke_is_told(
    connection: Connection, mongo_settings: MongoSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newest = MINUTE.last_closed(connection.server_now())
    bars = [newest - back * MINUTE.delta for back in reversed(range(20))]
    CandleWriter(connection).write(candles_of(make_panel(20, start=bars[0])))
    for name, value in (environment_of(mongo_settings) | {"COLUMNS": "200"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="found no 'live'"):
        CliRunner().invoke(app, ["shadow", "live"], catch_exceptions=False)

    def speak(strategy_id: str, enters_at: int) -> None:
        bus = SignalBus(connection, publisher=strategy_id)
        row = {"pair": "BTC/USDT", "ts": bars[enters_at], "action": "enter_long", "score": 0.5}
        assert bus.publish([row], strategy_id=strategy_id, timeframe="1m", venue="BINANCE").ok
        for bar in bars:
            told = {"strategy_id": strategy_id, "timeframe": "1m", "ts": bar, "pairs_evaluated": 1}
            evaluated = MINUTE.close_of(bar) + timedelta(seconds=1)
            bus.record_run(PublishRun.model_validate(told | {"evaluated_at": evaluated, "signals": 0}))

    speak("live", 19)
    with pytest.raises(ConfigError, match=r"no 'live\.shadow' ever spoke"):
        CliRunner().invoke(app, ["shadow", "live"], catch_exceptions=False)
    speak("live.shadow", 18)
    asked = ["shadow", "live", "--out", str(tmp_path / "out")]
    shown = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert shown.exit_code == 0, shown.output
    assert "live and live.shadow: 20 bars of 1m that both were evaluated for" in shown.stdout
    assert "only live.shadow entered, score +0.5000" in shown.stdout
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"], catch_exceptions=False).stdout)
    assert told == json.loads((tmp_path / "out" / "shadow.json").read_text())
    assert (told["bars"], told["pairs"][0]["same_word"], told["pairs"][0]["same_side"]) == (20, 18, 19)
    assert [entry["strategy_id"] for entry in told["entries_of_one"]] == ["live.shadow", "live"]
    assert told["live_result"]["result"]["trades"] == 0, "nothing can be entered on the newest bar there is"
    assert (tmp_path / "out" / "shadow" / "report.html").is_file()
