"""The factor audit as a command, against a real bus."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from quantbus_contracts.mongo.candle_writer import CandleWriter
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.runtime.settings import MongoSettings
from tests.integration.research.test_research_run import Desk, a_desk
from tests.unit.research.audits.worlds import COINS
from tests.unit.research.panels import make_series, panel_of
from tests.unit.research.sessions import candles_of

pytestmark = pytest.mark.integration


@pytest.fixture
def desk(connection: Connection, mongo_settings: MongoSettings, tmp_path: Path) -> Iterator[Desk]:
    panel = panel_of(**{name: make_series(2_880, seed=seed) for seed, name in enumerate(COINS)})
    for _, part in panel.groupby(level=0):
        CandleWriter(connection).write(candles_of(part))
    with a_desk(mongo_settings, tmp_path / "home") as made:
        yield made


def test_factors_of_stored_bars_are_audited_from_their_first_day_on(desk: Desk, tmp_path: Path) -> None:
    pairs = ",".join(f"{name}/USDT" for name in COINS)
    asked = ("audit", "--pairs", pairs, "--timeframe", "1m", "--factors", "rsi_14,ema_distance_20")
    days = ("--start", "2026-01-06", "--end", "2026-01-06", "--out", str(tmp_path / "audit"))
    code, out, err = desk.run(*asked, *days, "--json")
    assert code == 0, err
    told = json.loads(out)
    assert (told["bars"], len(told["symbols"])) == (1_440, 7)
    assert [item["coverage"] for item in told["factors"]] == [1.0, 1.0]
    assert told["kept"] == []
    assert (tmp_path / "audit" / "audit.html").is_file()
    code, out, err = desk.run(*asked, "--start", "2026-02-01", "--end", "2026-02-02")
    assert code == 2
    assert "expected 1m bars of each pair, found none of BINANCE:ADAUSDT" in err
