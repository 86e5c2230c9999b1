"""An exchange put together from settings: anchors, declared events, and what does not fit."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import load_settings
from quantbus_contracts.testing import FrozenClock
from quantbus_services.paper_exchange.assembly import build_venue
from quantbus_services.paper_exchange.listings.events import MarketEvent
from quantbus_services.paper_exchange.listings.listings import KINDS, Kind
from quantbus_services.paper_exchange.settings import PaperSettings
from tests.unit.services.paper_exchange.recordings import recording, write_parquet

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


def test_the_first_start_writes_its_anchor_and_later_ones_go_on_from_it(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(9 * 1440))
    wall, anchor = FrozenClock(NOW), tmp_path / "kept" / "anchor"
    settings = PaperSettings(data=(tmp_path,), anchor_file=anchor, speed=3)
    first = build_venue(settings, wall)
    wall.advance(timedelta(hours=31))
    again = build_venue(settings, wall)
    assert again.now_ms() == first.now_ms() == int((NOW + 3 * timedelta(hours=31)).timestamp() * 1000)
    assert again.spot.source.shift_ms == first.spot.source.shift_ms
    now_ms = again.now_ms()
    assert again.spot.last_closed("BTCUSDT", now_ms) == first.spot.last_closed("BTCUSDT", now_ms)


def test_without_an_anchor_a_recording_begins_anew(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(9 * 1440))
    wall, settings = FrozenClock(NOW), PaperSettings(data=(tmp_path,))
    first = build_venue(settings, wall)
    wall.advance(timedelta(hours=31))
    assert build_venue(settings, wall).spot.source.shift_ms != first.spot.source.shift_ms


def test_a_recording_is_shown_at_the_start_that_was_asked_for(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(9 * 1440))
    settings = load_settings(PaperSettings, data=(tmp_path,), start="2030-01-01T00:00:00Z")
    venue = build_venue(settings, FrozenClock(NOW))
    assert venue.clock.now() == datetime(2030, 1, 1, tzinfo=UTC)
    last = venue.spot.last_closed("BTCUSDT", venue.now_ms())
    assert last.open_time == venue.now_ms() - 60_000


def test_a_broken_anchor_is_explained(tmp_path: Path) -> None:
    anchor = tmp_path / "anchor"
    for text in ("yesterday", "2026-01-05T11:00:00", ""):
        anchor.write_text(text)
        with pytest.raises(ConfigError, match="remove the file to begin anew"):
            build_venue(PaperSettings(anchor_file=anchor), FrozenClock(NOW))
    anchor.write_text("2026-01-05T13:00:00+00:00")
    with pytest.raises(ConfigError, match="expected an anchor in the past"):
        build_venue(PaperSettings(anchor_file=anchor), FrozenClock(NOW))
    anchor.unlink()
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="--anchor-file"):
        build_venue(PaperSettings(anchor_file=tmp_path / "file" / "anchor"), FrozenClock(NOW))


def test_declared_events_happen_at_their_times(tmp_path: Path) -> None:
    events = tmp_path / "events.json"
    events.write_text(
        json.dumps(
            [
                {"kind": "rename", "pair": "SOL/USDT", "to": "LUNA/USDT", "at": "+2h"},
                {"kind": "list", "pair": "SOL/USDT", "at": "+1h"},
            ]
        )
    )
    wall = FrozenClock(NOW)
    venue = build_venue(PaperSettings(events=events), wall)
    lists = []
    for _ in range(3):
        lists.append([set(market.listed(venue.now_ms())) for market in (venue.spot, venue.futures)])
        wall.advance(timedelta(hours=1))
    both = {"BTCUSDT", "ETHUSDT"}
    assert lists == [[both] * 2, [both | {"SOLUSDT"}] * 2, [both | {"LUNAUSDT"}] * 2]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "JSON list"),
        ("{}", "found dict"),
        ('[{"kind": "delist", "pair": "NO/USDT"}]', "NO/USDT"),
        ('[{"kind": "list"}]', "kind and pair"),
    ],
)
def test_events_that_cannot_happen_end_the_start(tmp_path: Path, text: str, told: str) -> None:
    events = tmp_path / "events.json"
    events.write_text(text)
    with pytest.raises(ConfigError, match=told):
        build_venue(PaperSettings(events=events), FrozenClock(NOW))


def test_holes_are_for_made_up_bars_only(tmp_path: Path) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(9 * 1440))
    with pytest.raises(ConfigError, match="made-up bars only"):
        build_venue(PaperSettings(data=(tmp_path,), gaps=0.1), FrozenClock(NOW))


def test_without_futures_there_are_no_swaps_and_none_are_listed_later() -> None:
    venue = build_venue(PaperSettings(futures=False), FrozenClock(NOW))
    venue.add_event(MarketEvent("list", "SOL/USDT", venue.now_ms()))
    assert "SOLUSDT" in venue.spot.listed(venue.now_ms())
    assert venue.futures.listed(venue.now_ms()) == {}


@pytest.mark.parametrize("market", KINDS)
def test_neither_side_of_a_recording_can_list_what_it_does_not_hold(tmp_path: Path, market: Kind) -> None:
    write_parquet(tmp_path / "BINANCE_BTCUSDT_1m.parquet", recording(9 * 1440))
    venue = build_venue(PaperSettings(data=(tmp_path,)), FrozenClock(NOW))
    with pytest.raises(ConfigError, match="expected recorded bars of SOL/USDT, found those of BTCUSDT"):
        venue.add_event(MarketEvent("list", "SOL/USDT", venue.now_ms(), market=market))
    assert venue.events.all() == ()


@pytest.mark.parametrize(
    ("name", "value"), [("start", "soon"), ("speed", 0), ("gaps", 0.9), ("quiet", -0.1), ("anchor", "x")]
)
def test_settings_out_of_range_are_refused(name: str, value: object) -> None:
    with pytest.raises(ConfigError, match=r"expected|less than|greater than"):
        load_settings(PaperSettings, **{name: value})
