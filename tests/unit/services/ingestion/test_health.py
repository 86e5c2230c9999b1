"""Health: what is measured, what it means for trading, and what a person gets to see."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError, ContractError
from quantbus_contracts.mongo.candle_columns import CandleColumns
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.health import Limits, Measures, judged, measure
from quantbus_services.ingestion.health.main import Examined, HealthQuery, examine_files
from quantbus_services.ingestion.health.page import health_page
from quantbus_services.ingestion.health.pictures import draw
from quantbus_services.ingestion.health.report import health_json, health_table, tradable
from quantbus_services.ingestion.settings import IngestionSettings

HOUR = Timeframe.parse("1h")
STEP = 3_600_000
START = 1_767_571_200_000  # 2026-01-05T00:00Z
NOW = datetime(2026, 1, 9, tzinfo=UTC)


def series(hours: Sequence[int], **columns: Sequence[float]) -> CandleColumns:
    count = len(hours)
    values = {
        "open": np.full(count, 100.0),
        "high": np.full(count, 110.0),
        "low": np.full(count, 90.0),
        "close": np.full(count, 100.0),
        "volume": np.full(count, 5.0),
    }
    values |= {name: np.array(given, dtype=np.float64) for name, given in columns.items()}
    return CandleColumns("X", HOUR, "test", START + STEP * np.array(hours, dtype=np.int64), **values)


def issues(measures: Measures, limits: Limits | None = None) -> dict[str, str]:
    return {issue.kind: issue.verdict for issue in judged("X", HOUR, measures, limits or Limits()).issues}


def test_a_whole_series_is_healthy() -> None:
    measures = measure(series(range(100)), as_of_ms=START + 100 * STEP)
    assert judged("X", HOUR, measures, Limits()).verdict == "good"
    assert (measures.rows, measures.bars, measures.missing, measures.days) == (100, 100, 0, ())


def test_missing_bars_are_counted_by_day() -> None:
    measures = measure(series([*range(20), *range(26, 48)]))
    assert [(gap.start_ms, gap.bars) for gap in measures.gaps] == [(START + 20 * STEP, 6)]
    assert [(day.missing, day.expected) for day in measures.days] == [(4, 24), (2, 24)]
    assert measures.missing_share == pytest.approx(6 / 48)
    assert issues(measures) == {"missing": "bad"}


def test_few_missing_bars_are_something_to_look_at() -> None:
    measures = measure(series([*range(20), *range(21, 48)]))
    assert issues(measures, Limits(missing_share=0.05)) == {"missing": "look"}


def test_bars_that_the_venue_never_had_do_not_count() -> None:
    confirmed = [(START + 20 * STEP, START + 23 * STEP), (START + 24 * STEP, START + 26 * STEP)]
    measures = measure(series([*range(20), *range(26, 48)]), confirmed=confirmed)
    assert (measures.missing, measures.confirmed) == (6, 5)
    assert [(day.missing, day.expected) for day in measures.days] == [(1, 24)]
    whole = measure(series([*range(20), *range(26, 48)]), confirmed=[(START, START + 48 * STEP)])
    assert issues(whole) == {}


def test_the_first_and_the_last_day_count_as_far_as_they_go() -> None:
    (day,) = measure(series([20, 22])).days
    assert (day.missing, day.expected) == (1, 3)


@pytest.mark.parametrize(("hours", "kind"), [([0, 1, 1, 2], "duplicates"), ([0, 2, 1, 3], "out_of_order")])
def test_rows_in_disorder_forbid_trading(hours: list[int], kind: str) -> None:
    measures = measure(series(hours))
    assert getattr(measures, kind) == 1
    assert issues(measures) == {kind: "bad"}


def test_a_row_at_no_open_time_forbids_trading() -> None:
    bars = series([0, 1, 2])
    shifted = replace(bars, open_times_ms=bars.open_times_ms + np.array([0, 7, 0]))
    measures = measure(shifted)
    assert (measures.misaligned, measures.missing) == (1, 1)
    assert issues(measures)["misaligned"] == "bad"


@pytest.mark.parametrize(
    ("column", "value", "kinds"),
    [
        ("high", 99.0, {"ohlc"}),
        ("low", 101.0, {"ohlc"}),
        ("low", 0.0, {"nonpositive"}),
        ("open", float("nan"), {"not_numbers"}),
        ("volume", float("inf"), {"not_numbers"}),
    ],
)
def test_impossible_rows_forbid_trading(column: str, value: float, kinds: set[str]) -> None:
    usual = {"high": 110.0, "low": 90.0, "open": 100.0, "volume": 5.0}[column]
    measures = measure(series(range(4), **{column: [usual, value, usual, usual]}))
    assert set(issues(measures)) == kinds
    assert set(issues(measures).values()) == {"bad"}


def test_a_jump_is_to_be_looked_at_but_not_across_a_gap() -> None:
    close = [100.0, 100.0, 131.0, 100.0]
    measures = measure(series([0, 1, 2, 9], close=close, high=[140.0] * 4))
    assert [(event.time_ms, round(event.value, 2)) for event in measures.jumps] == [(START + 2 * STEP, 0.31)]
    assert issues(measures)["jumps"] == "look"


def test_a_volume_is_compared_with_the_median_of_what_was_traded_around_it() -> None:
    volume = [5.0] * 30 + [0.0] * 60 + [51.0]
    measures = measure(series(range(91), volume=volume))
    assert [event.value for event in measures.spikes] == [pytest.approx(10.2)]


def test_long_runs_without_volume_forbid_trading_and_short_ones_do_not() -> None:
    volume = [5.0, 0.0, 0.0, 5.0, 0.0] + [5.0] * 5
    measures = measure(series(range(10), volume=volume))
    assert (measures.zero_volume, [run.bars for run in measures.zero_runs]) == (3, [2])
    assert issues(measures) == {"zero_volume": "look"}
    assert issues(measures, Limits(zero_run_bars=2)) == {"zero_volume": "bad"}


def test_a_hole_ends_a_run_without_volume() -> None:
    measures = measure(series([0, 1, 5, 6], volume=[0.0] * 4))
    assert [run.bars for run in measures.zero_runs] == [2, 2]


@pytest.mark.parametrize(("hours_later", "behind"), [(0.5, 0), (1.0, 0), (2.0, 1), (4.9, 3)])
def test_a_series_that_has_stopped_is_stale(hours_later: float, behind: int) -> None:
    measures = measure(series(range(10)), as_of_ms=START + int((9 + hours_later) * STEP))
    assert measures.behind == behind
    assert ("stale" in issues(measures)) == (behind > 2)


def test_no_bars_at_all_forbid_trading() -> None:
    assert issues(measure(series([]))) == {"no_bars": "bad"}


def test_strictly_everything_found_forbids_trading() -> None:
    measures = measure(series(range(4), volume=[5.0, 0.0, 5.0, 5.0]))
    assert issues(measures) == {"zero_volume": "look"}
    assert issues(measures, Limits(strict=True)) == {"zero_volume": "bad"}


@given(st.lists(st.integers(0, 80), min_size=1, max_size=60))
def test_bars_and_holes_add_up(hours: list[int]) -> None:
    measures = measure(series(hours))
    span = max(hours) - min(hours) + 1
    assert measures.bars + measures.missing == span
    assert measures.rows == measures.bars + measures.duplicates
    assert sum(day.missing for day in measures.days) == measures.missing


def examined(*columns: CandleColumns) -> list[Examined]:
    found = []
    for number, bars in enumerate(columns):
        health = judged(f"VENUE:<b>{number}</b> & co", HOUR, measure(bars), Limits())
        found.append(Examined(health, draw(bars, health)))
    return found


def test_the_page_needs_nothing_but_itself() -> None:
    found = examined(series([*range(30), *range(40, 300)], close=[100.0 + i for i in range(290)]), series([]))
    page = health_page(found, made_at=NOW, subject="The bus")
    assert "<script" not in page
    assert not re.search(r"""(src|href)=["'](?!#)""", page)
    assert not re.search(r"url\((?!#)", page)
    assert "@import" not in page
    assert 'name="viewport"' in page
    assert "prefers-color-scheme: dark" in page
    assert page.count("<svg") == 1
    assert "10 bars missing" in page


def test_the_page_shows_names_as_they_are_and_runs_nothing_in_them() -> None:
    page = health_page(examined(series(range(30))), made_at=NOW, subject="<i>")
    assert "<b>0</b>" not in page
    assert "&lt;b&gt;0&lt;/b&gt; &amp; co" in page
    assert "<i>" not in page


def test_a_picture_takes_its_colours_from_the_page() -> None:
    bars = series(range(300), close=[100.0 + (200 if i == 150 else i / 100) for i in range(300)])
    health = judged("X", HOUR, measure(bars), Limits())
    picture = draw(bars, health, confirmed=[(START, START + STEP)])
    ElementTree.fromstring(picture)  # noqa: S314  # our own
    assert "var(--line)" in picture
    assert re.search(r"#0[1-6]0[1-6]0[1-6]", picture) is None
    assert "<metadata" not in picture
    assert draw(bars, health) == draw(bars, health)


def test_scripts_get_the_verdict_and_every_number() -> None:
    healths = [item.health for item in examined(series([0, 1, 3]))]
    told = health_json(healths)
    assert told["tradable"] is False
    assert not tradable(healths)
    (one,) = told["series"]
    assert (one["missing"], one["first"], one["missing_per_day"]) == (
        1,
        "2026-01-05T00:00:00Z",
        {"2026-01-05": 0.25},
    )
    assert health_table(healths).row_count == 1


def test_files_are_judged_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    rows = [f"{START + hour * STEP},100,110,90,100,5" for hour in (0, 1, 1, 2, 5, 4, 6, 7, 8)]
    path.write_text("\n".join([*rows, "nonsense,1,1,1,1,1"]) + "\n")
    (found,) = examine_files([path], HealthQuery(), IngestionSettings(), on_progress=lambda *_: None)
    measures = found.health.measures
    assert found.health.timeframe == HOUR
    assert (measures.duplicates, measures.out_of_order, measures.missing, measures.unreadable) == (1, 1, 1, 1)


def test_a_file_that_does_not_say_how_long_its_bars_are_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "raw.csv"
    path.write_text(f"{START},100,110,90,100,5\n")
    with pytest.raises(ContractError, match="--timeframe"):
        examine_files([path], HealthQuery(), IngestionSettings(), on_progress=lambda *_: None)
    query = HealthQuery(timeframes=["1h"])
    assert examine_files([path], query, IngestionSettings(), on_progress=lambda *_: None)


@pytest.mark.parametrize(
    "query", [HealthQuery(since="2d"), HealthQuery(symbols=["X"]), HealthQuery(until="2d")]
)
def test_what_chooses_from_the_bus_is_refused_for_files(query: HealthQuery, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="choose from the bus"):
        examine_files([tmp_path], query, IngestionSettings(), on_progress=lambda *_: None)
