"""What an audit writes, and the command that does it."""

import json
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path

import pandas as pd
import pytest
from typer.testing import CliRunner

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market import MarketQuery
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.audits import as_dict, audit_values, factor_summary, summary_text
from quantbus_research.cli import app
from quantbus_research.dataset import keep_panel
from quantbus_research.factors import factor_set
from quantbus_research.reports import factor_page
from quantbus_research.workflows import chosen_factors, keep_audit, warmed_panel
from tests.unit.research.audits.worlds import HOUR, SHORT, coins, noise, skilled

pytest.importorskip("matplotlib")


def some() -> pd.DataFrame:
    panel = coins()
    flat = pd.Series(1.0, index=panel.index)
    return pd.DataFrame({"good": skilled(panel, 1), "idle": noise(panel, 2), "flat": flat})


class _Sources(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [str(value) for name, value in attrs if name in ("src", "href")]


def test_the_files_say_the_same_and_the_page_needs_nothing_else(tmp_path: Path) -> None:
    found = audit_values(some(), coins(), HOUR, SHORT)
    files = keep_audit(found, tmp_path / "out", title="A <title>")
    table = pd.read_csv(files.table, index_col="factor")
    figures = json.loads(files.figures.read_text(encoding="utf-8"))
    assert list(table.index) == [item["name"] for item in figures["factors"]] == ["good", "idle", "flat"]
    at = found.factors[0].first
    assert table.loc["good", "h1_rank_ic"] == pytest.approx(at.rank_ic)
    assert table.loc["good", "h1_5d_worst"] == pytest.approx(at.stability[0].worst)
    assert figures["factors"][0]["horizons"][0]["rank_ic"] == at.rank_ic
    assert figures["factors"][2]["horizons"][0]["rank_ic"] is None
    assert table.loc["flat", "refused_at"] == "variance"
    page, sources = files.page.read_text(encoding="utf-8"), _Sources()
    sources.feed(page)
    assert sources.found
    assert all(source.startswith("data:image/png;base64,") for source in sources.found)
    assert "A &lt;title&gt;" in page
    summary = files.summary.read_text(encoding="utf-8")
    for part in ("# A <title>", "| missing |", "- flat: variance:", "must prove itself", "## Clusters"):
        assert part in summary


def test_an_audit_in_which_nothing_varies_is_still_written() -> None:
    found = audit_values(some()[["flat"]], coins(), HOUR, SHORT)
    assert "None of 1 factor passed" in summary_text(found)
    assert factor_page(found)
    assert len(factor_summary(found)) == 1
    assert json.dumps(as_dict(found), allow_nan=False)


def test_sets_and_factors_may_be_mixed_and_unknown_names_are_refused() -> None:
    assert chosen_factors(["rsi_14", "cta_core"])[0] == "rsi_14"
    assert len(chosen_factors(["rsi_14", "cta_core"])) == len(factor_set("cta_core"))
    with pytest.raises(ConfigError, match="rsi_14x"):
        chosen_factors(["rsi_14x"])


def test_bars_are_read_from_before_the_start_and_a_pair_without_any_is_named() -> None:
    panel, asked = coins(), []

    def source(symbols: object, timeframe: Timeframe, start: datetime, end: datetime) -> pd.DataFrame:
        asked.append(start)
        times = panel.index.get_level_values(1)
        return panel[(times >= start) & (times < end)]

    symbols = sorted(panel.index.get_level_values(0).unique())
    query = MarketQuery.of(symbols, "2026-01-08", "2026-01-20", timeframe=HOUR)
    warmed_panel(source, query, ["rsi_14", "ema_distance_20"])
    assert asked[0] < datetime(2026, 1, 8, tzinfo=UTC)
    query = MarketQuery.of([*symbols, "BINANCE:ABSENTUSDT"], "2026-01-08", "2026-01-20", timeframe=HOUR)
    with pytest.raises(ConfigError, match="none of BINANCE:ABSENTUSDT"):
        warmed_panel(source, query, ["rsi_14"])


def test_the_command_audits_a_snapshot(tmp_path: Path) -> None:
    panel = coins()
    times = panel.index.get_level_values(1)
    query = MarketQuery.of(
        sorted(panel.index.get_level_values(0).unique()),
        times.min().to_pydatetime(),
        (times.max() + HOUR.delta).to_pydatetime(),
        timeframe=HOUR,
    )
    keep_panel(panel, query, tmp_path / "snapshots", now=datetime(2026, 3, 1, tzinfo=UTC))
    (folder,) = (path for path in (tmp_path / "snapshots").iterdir() if path.is_dir())
    asked = [
        "audit",
        "--snapshot",
        str(folder),
        "--factors",
        "rsi_14,log_return_5",
        "--out",
        str(tmp_path / "o"),
    ]
    result = CliRunner().invoke(app, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert [item["name"] for item in told["factors"]] == ["rsi_14", "log_return_5"]
    assert told["timeframe"] == "1h"
    written = {path.name for path in (tmp_path / "o").iterdir()}
    assert written == {"factor_summary.csv", "summary.md", "audit.html", "audit.json"}
    shown = CliRunner().invoke(app, asked)
    assert shown.exit_code == 0
    assert "written to" in shown.stdout


def test_what_the_command_cannot_do_it_says() -> None:
    for asked, part in (
        (["audit"], "--pairs, --start and --end"),
        (["audit", "--snapshot", "x", "--pairs", "BTC/USDT"], "read whole"),
        (["audit", "--horizons", "1,b"], "--horizons"),
        (["audit", "--factors", ","], "--factors"),
    ):
        result = CliRunner().invoke(app, asked)
        assert isinstance(result.exception, ConfigError)
        assert part in str(result.exception)
