"""The real Qlib and MLflow over our panels: what it reads, learns, records and trades, and why it may trade nothing."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.engine import (
    LINEAR,
    Backtested,
    BinStore,
    QlibTask,
    Segments,
    TaskResult,
    export_bins,
    open_qlib,
    portfolio_figures,
    run_task,
    why_nothing_traded,
)
from quantbus_research.workflows import convert
from tests.unit.research.panels import make_series, panel_of

pytestmark = [
    pytest.mark.integration,
    pytest.mark.proof,
    pytest.mark.filterwarnings("ignore"),
]  # those of Qlib and MLflow

HOUR, DAY = Timeframe.parse("1h"), Timeframe.parse("1d")
NAMES = ("BTC", "ETH", "SOL", "ADA")
CODES = {f"BINANCE:{name}USDT": f"{name}_USDT" for name in NAMES}
START = pd.Timestamp("2026-01-01", tz="UTC")


def at(bar: int) -> pd.Timestamp:
    return START + bar * HOUR.delta


SEGMENTS = Segments(train=(at(50), at(500)), valid=(at(510), at(600)), test=(at(610), at(797)))
TASK = QlibTask(segments=SEGMENTS, factors=("log_return_1", "log_return_5"), model=LINEAR, top_k=2, n_drop=1)


def hourly() -> pd.DataFrame:
    """Bars whose next return follows their last one, so that there is something to learn."""
    series = {}
    for seed, name in enumerate(NAMES):
        random = np.random.default_rng(seed)
        moves = np.zeros(800)
        for bar in range(1, 800):
            moves[bar] = 0.5 * moves[bar - 1] + random.normal(0, 0.01)
        close = 100 * np.exp(np.cumsum(moves))
        base = make_series(800, seed=seed, start=START.to_pydatetime(), timeframe=HOUR)
        opens = np.concatenate([[100.0], close[:-1]])
        series[name] = base.assign(
            open=opens,
            close=close,
            high=np.maximum(opens, close) * 1.001,
            low=np.minimum(opens, close) * 0.999,
        )
    return panel_of(**series)


@pytest.fixture(scope="module")
def panel() -> pd.DataFrame:
    return hourly()


@pytest.fixture(scope="module")
def store(panel: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> BinStore:
    folder = tmp_path_factory.mktemp("bins")
    return export_bins({HOUR: panel}, CODES, folder, source="a test", now=datetime(2026, 3, 1, tzinfo=UTC))


@pytest.fixture(scope="module")
def tracking(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tracking")


@pytest.fixture(scope="module")
def result(panel: pd.DataFrame, store: BinStore, tracking: Path) -> TaskResult:
    return run_task(TASK, panel, HOUR, store, tracking)


def test_qlib_reads_the_bars_that_were_written(panel: pd.DataFrame, store: BinStore, tracking: Path) -> None:
    open_qlib(store, tracking)
    from qlib.data import D

    read = D.features(D.instruments("all"), ["$close", "$factor", "$change"], freq="60min")
    assert len(read) == len(panel)
    for symbol, code in CODES.items():
        mine = panel.xs(symbol)["close"].to_numpy()
        assert np.abs(read.xs(code, level="instrument")["$close"].to_numpy() / mine - 1).max() < 1e-6
    assert (read["$factor"] == 1.0).all()


def test_a_day_of_half_hours_has_48_of_them(tmp_path: Path, tracking: Path) -> None:
    minutes = panel_of(BTC=make_series(2880, start=START.to_pydatetime()))
    store = export_bins(
        {Timeframe.parse("1m"): minutes},
        CODES,
        tmp_path,
        source="a test",
        now=datetime(2026, 3, 1, tzinfo=UTC),
    )
    open_qlib(store, tracking)
    from qlib.data import D

    assert len(D.calendar(freq="30min")) == 96  # Qlib's own regions have eight, or thirteen


def test_a_task_learns_what_is_there_to_learn_and_trades(result: TaskResult) -> None:
    assert result.figures["rank_ic"] > 0.2
    assert result.figures["bars_with_deals"] > 100
    assert result.causes == ()


def test_a_year_has_8760_hours_in_the_figures(result: TaskResult) -> None:
    net = (result.report["return"] - result.report["cost"]).astype(float)
    assert result.figures["sharpe"] == pytest.approx(net.mean() / net.std() * 8760**0.5)
    grown = float((1 + net).cumprod().iloc[-1])
    assert (1 + result.figures["annual_return"]) ** (len(net) / 8760) == pytest.approx(grown)


def test_a_deal_is_made_at_the_open_after_its_score(panel: pd.DataFrame, result: TaskResult) -> None:
    """The whole first bar with holdings earns what the two best of the bar before earn from open to close."""
    report, first = result.report, result.report.index[0]
    scores = result.scores.iloc[:, 0]
    before = scores.xs(first - HOUR.delta, level="datetime") if first - HOUR.delta in scores.index else None
    assert before is None  # nothing is known before the period, so nothing is held in its first bar
    assert report.loc[first, "value"] == 0
    second = report.index[1]
    best = scores.xs(first, level="datetime").nlargest(2).index
    symbols = [symbol for symbol, code in CODES.items() if code in best]
    bars = panel.xs(second.tz_localize("UTC"), level="datetime").loc[symbols]
    moved = float((bars["close"] / bars["open"] - 1).mean())
    invested = float(report.loc[second, "value"] / report.loc[second, "account"])
    assert float(report.loc[second, "return"]) == pytest.approx(moved * invested, abs=2e-4)


def test_records_and_artefacts_stay_in_the_tracking_folder(result: TaskResult, tracking: Path) -> None:
    with sqlite3.connect(tracking / "records.db") as database:
        runs = [row[0] for row in database.execute("SELECT run_uuid FROM runs")]
    assert result.recorder_id in runs
    assert list((tracking / "artefacts").rglob("pred.pkl"))
    assert not Path("mlruns").exists()


def test_the_same_task_gives_the_same_bits(
    panel: pd.DataFrame, store: BinStore, tracking: Path, result: TaskResult
) -> None:
    again = run_task(TASK, panel, HOUR, store, tracking)
    pd.testing.assert_frame_equal(again.scores, result.scores, check_exact=True)
    pd.testing.assert_frame_equal(again.report, result.report, check_exact=True)


def test_segments_whose_labels_overlap_are_refused(
    panel: pd.DataFrame, store: BinStore, tracking: Path
) -> None:
    close = Segments(train=(at(50), at(500)), valid=(at(501), at(600)), test=(at(610), at(797)))
    with pytest.raises(ConfigError, match="begin valid at"):
        run_task(
            QlibTask(segments=close, factors=("log_return_1",), model=LINEAR), panel, HOUR, store, tracking
        )


def test_qlibs_own_alpha158_runs_over_the_data_by_its_class_path(
    panel: pd.DataFrame, store: BinStore, tracking: Path
) -> None:
    handler = {
        "class": "Alpha158",
        "module_path": "qlib.contrib.data.handler",
        "kwargs": {
            "instruments": "all",
            "freq": "60min",
            "start_time": at(0).tz_localize(None),
            "end_time": at(797).tz_localize(None),
            "fit_start_time": at(0).tz_localize(None),
            "fit_end_time": at(500).tz_localize(None),
            "infer_processors": [
                {"class": "RobustZScoreNorm", "kwargs": {"fields_group": "feature", "clip_outlier": True}},
                {"class": "Fillna", "kwargs": {"fields_group": "feature"}},
            ],
            "learn_processors": [{"class": "DropnaLabel"}],
            "label": (["Ref($open,-2)/Ref($open,-1)-1"], ["LABEL0"]),
        },
    }
    result = run_task(
        QlibTask(segments=SEGMENTS, handler=handler, model=LINEAR, name="alpha158"),
        panel,
        HOUR,
        store,
        tracking,
    )
    assert result.figures["rank_ic"] > 0.1
    assert result.figures["bars_with_deals"] > 0


def planted(result: TaskResult, store: BinStore, **changes: object) -> Backtested:
    given = {
        "scores": result.scores,
        "store": store,
        "timeframe": HOUR,
        "start": at(610).tz_localize(None),
        "end": at(796).tz_localize(None),
        "top_k": 2,
        "account": 1e6,
    }
    return Backtested(**{**given, **changes})  # type: ignore[arg-type]


def with_level(scores: pd.DataFrame, level: int, change: Callable[[pd.Index], pd.Index]) -> pd.DataFrame:
    index = scores.index
    assert isinstance(index, pd.MultiIndex)
    return scores.set_axis(index.set_levels(list(change(index.levels[level])), level=level), axis=0)


def renamed(scores: pd.DataFrame, change: Callable[[str], str]) -> pd.DataFrame:
    return with_level(scores, 1, lambda names: names.map(change))


def in_zone(scores: pd.DataFrame) -> pd.DataFrame:
    return with_level(scores, 0, lambda times: pd.DatetimeIndex(times).tz_localize("UTC"))


def shifted(scores: pd.DataFrame, by: str) -> pd.DataFrame:
    return with_level(scores, 0, lambda times: pd.DatetimeIndex(times) + pd.Timedelta(by))


@pytest.mark.parametrize(
    ("kind", "change"),
    [
        ("no_scores", lambda scores: {"scores": scores.iloc[:0]}),
        ("index_levels", lambda scores: {"scores": scores.droplevel(1)}),
        ("index_order", lambda scores: {"scores": scores.swaplevel().sort_index()}),
        (
            "index_types",
            lambda scores: {"scores": scores.reset_index(drop=True).set_index([[1] * len(scores)] * 2)},
        ),
        ("index_names", lambda scores: {"scores": scores.rename_axis(["date", "code"])}),
        ("time_zone", lambda scores: {"scores": in_zone(scores)}),
        ("not_finite", lambda scores: {"scores": scores * np.nan}),
        ("top_k", lambda scores: {"top_k": 0}),
        ("names", lambda scores: {"scores": renamed(scores, lambda name: name.replace("_", "/"))}),
        ("period", lambda scores: {"scores": shifted(scores, "400D")}),
        ("calendar", lambda scores: {"scores": shifted(scores, "7min")}),
        ("threshold", lambda scores: {"min_score": 1e9}),
        ("min_cost", lambda scores: {"min_cost": 5.0, "account": 8.0}),
        ("trade_unit", lambda scores: {"trade_unit": 1e6, "account": 1000.0}),
    ],
)
def test_each_cause_of_no_trades_is_named(
    result: TaskResult, store: BinStore, kind: str, change: Callable[[pd.DataFrame], dict[str, object]]
) -> None:
    causes = why_nothing_traded(planted(result, store, **change(result.scores)))
    assert [cause.kind for cause in causes] == [kind]


def test_a_name_that_is_nearly_right_is_answered_with_the_right_one(
    result: TaskResult, store: BinStore
) -> None:
    scores = renamed(result.scores, lambda name: name.replace("_", "/"))
    assert "is ADA_USDT meant" in why_nothing_traded(planted(result, store, scores=scores))[0].sentence


def test_nothing_is_named_where_nothing_is_wrong(result: TaskResult, store: BinStore) -> None:
    assert why_nothing_traded(planted(result, store)) == []


@pytest.mark.parametrize("field", ["factor", "close"])
def test_a_field_that_is_missing_is_named(
    field: str, panel: pd.DataFrame, tmp_path: Path, result: TaskResult
) -> None:
    maimed = export_bins(
        {HOUR: panel}, CODES, tmp_path, source="a test", now=datetime(2026, 3, 1, tzinfo=UTC)
    )
    for path in maimed.folder.glob(f"features/*/{field}.60min.bin"):
        path.unlink()
    causes = why_nothing_traded(planted(result, maimed))
    assert [cause.kind for cause in causes] == ["missing_field"]
    assert f"${field} at 60min" in causes[0].sentence


def test_a_backtest_without_trades_says_why(panel: pd.DataFrame, store: BinStore, tracking: Path) -> None:
    task = QlibTask(segments=SEGMENTS, factors=("log_return_1",), model=LINEAR, min_score=1e9)
    causes = run_task(task, panel, HOUR, store, tracking).causes
    assert [cause.kind for cause in causes] == ["threshold"]


def test_the_shipped_file_runs_under_qlibs_own_qrun(tmp_path: Path) -> None:
    """With the region, the records beside their database, and figures that can be made from them."""
    names = ("BTC", "ETH", "SOL", "XRP")
    start = datetime(2024, 1, 1, tzinfo=UTC)
    bars = panel_of(
        **{name: make_series(8784, seed=seed, start=start, timeframe=HOUR) for seed, name in enumerate(names)}
    )
    instruments = [Instrument.from_pair("BINANCE", f"{name}/USDT") for name in names]
    store = convert(lambda _: bars, instruments, [HOUR], tmp_path / "bins", source="a test", now=start)
    empty = tmp_path / "empty"
    empty.mkdir()
    ran = subprocess.run(
        [str(Path(sys.executable).with_name("qrun")), str(shipped("alpha158_1h.yaml"))],
        cwd=empty,
        env={**os.environ, "QLIB_DATA": str(store.folder), "QLIB_RECORDS": str(tmp_path / "records")},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr[-2000:]
    assert "Rank IC" in ran.stdout
    assert not list(empty.iterdir())
    (report,) = (tmp_path / "records" / "artefacts").rglob("report_normal_60min.pkl")
    figures = portfolio_figures(pd.read_pickle(report), HOUR)  # noqa: S301  # written a moment ago
    assert figures["bars_with_deals"] > 100
    assert figures["annual_return"] < 0  # there is nothing to learn in it, and every deal costs


def shipped(name: str) -> Path:
    found = files("quantbus_research") / "recipes" / name
    assert isinstance(found, Path)
    return found
