"""One Qlib task, whole: data set, model by class path, signal and portfolio records, and figures that mean something.

Qlib annualises by a stock market's hours. Its own portfolio figures stay in the record; the ones given here are made
anew from its report, with all bars of a year.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.engine.bins import BinStore
from quantbus_research.engine.frequency import frequency_of
from quantbus_research.engine.opening import open_qlib, recording
from quantbus_research.engine.zero_trades import Backtested, Cause, why_nothing_traded
from quantbus_research.evaluation import bars_per_year, max_drawdown, sharpe_ratio

__all__ = ["LIGHTGBM", "LINEAR", "QlibTask", "Segments", "TaskResult", "portfolio_figures", "run_task"]

LIGHTGBM: Mapping[str, Any] = {
    "class": "LGBModel",
    "module_path": "qlib.contrib.model.gbdt",
    "kwargs": {
        "loss": "mse",
        "learning_rate": 0.05,
        "num_leaves": 31,
        "num_threads": 1,
        "seed": 7,
        "deterministic": True,
        "force_row_wise": True,
        "num_boost_round": 200,
        "early_stopping_rounds": 30,
    },
}
LINEAR: Mapping[str, Any] = {
    "class": "LinearModel",
    "module_path": "qlib.contrib.model.linear",
    "kwargs": {"estimator": "ridge", "alpha": 0.05},
}


@dataclass(frozen=True, slots=True)
class Segments:
    """Three periods, each of its first and last bar's open time (UTC), one after the other."""

    train: tuple[pd.Timestamp, pd.Timestamp]
    valid: tuple[pd.Timestamp, pd.Timestamp]
    test: tuple[pd.Timestamp, pd.Timestamp]

    def require_apart(self, timeframe: Timeframe, horizon_bars: int) -> None:
        """Refuse periods of which a label of one reaches into the next.

        Raises
        ------
        ConfigError
            Naming the two, and from when on the later one may begin.
        """
        reach = (horizon_bars + 1) * timeframe.delta
        named = (("train", self.train), ("valid", self.valid), ("test", self.test))
        for (name, (first, last)), (next_name, (next_first, _)) in pairwise(named):
            if last < first:
                raise ConfigError(
                    f"expected the segment {name} to end after it begins, found {first} to {last}"
                )
            if last + reach > next_first:
                raise ConfigError(
                    f"expected the last label of {name} ({last}) to be known before {next_name} begins, found "
                    f"{next_first}: with a horizon of {horizon_bars} bars begin {next_name} at {last + reach} or later"
                )


@dataclass(frozen=True, slots=True, kw_only=True)
class QlibTask:
    """What to learn, on what, and how to trade on it.

    Attributes
    ----------
    factors
        Names out of our catalogue; ignored where ``handler`` is given.
    handler
        A data handler by class path (Qlib's Alpha158, say); None takes ours.
    model
        A Qlib model by class path, with its arguments.
    horizon_bars
        How far the label looks: from the next open to the open so many bars later.
    top_k, n_drop
        How many of the best are held, and at most how many of them are replaced at a bar.
    min_score
        Scores below are not held at all; None holds the best whatever they say.
    fee
        Of the value of each deal, as a fraction.
    account
        Cash at the start, quote currency.
    benchmark
        The symbol (bus) that is compared with; None takes the mean of all.
    """

    segments: Segments
    factors: Sequence[str] = ()
    handler: Mapping[str, Any] | None = None
    model: Mapping[str, Any] = field(default_factory=lambda: LIGHTGBM)
    horizon_bars: int = 1
    top_k: int = 3
    n_drop: int = 1
    min_score: float | None = None
    fee: float = 0.001
    account: float = 1_000_000.0
    benchmark: str | None = None
    name: str = "task"


@dataclass(frozen=True, slots=True)
class TaskResult:
    """What came of a task.

    Attributes
    ----------
    scores
        Of the test period: indexed by (datetime, instrument).
    report
        Qlib's own, a row a bar: account, return, cost, turnover, bench …; ``cost`` is not yet taken off ``return``.
    figures
        IC and rank IC (mean over bars) with their ratios; annual return and Sharpe ratio after costs, of the benchmark
        and of the excess, with all bars of a year; greatest drawdown; turnover a bar; bars with deals.
    causes
        Why nothing was traded; empty where something was.
    recorder_id
        Of the run, in the tracking store.
    """

    scores: pd.DataFrame
    report: pd.DataFrame
    figures: Mapping[str, float]
    causes: Sequence[Cause]
    recorder_id: str


def run_task(
    task: QlibTask, panel: pd.DataFrame, timeframe: Timeframe, store: BinStore, tracking: Path
) -> TaskResult:
    """Learn, predict, record and trade; deals are at the open of the bar after the score.

    Raises
    ------
    ConfigError
        If segments overlap through their labels, or the extra ``qlib`` is missing.
    """
    task.segments.require_apart(timeframe, task.horizon_bars)
    experiment = "quantbus"
    open_qlib(store, tracking, experiment=experiment)
    from qlib.utils import init_instance_by_config
    from qlib.workflow.record_temp import PortAnaRecord, SigAnaRecord, SignalRecord

    dataset = _dataset(task, panel, timeframe, store)
    model = init_instance_by_config(dict(task.model))
    with recording(experiment, task.name) as recorder:
        model.fit(dataset)
        SignalRecord(model, dataset, recorder).generate()
        SigAnaRecord(recorder, ana_long_short=True, ann_scaler=bars_per_year(timeframe)).generate()
        scores = recorder.load_object("pred.pkl")  # type: ignore[attr-defined]
        config = _trading(task, panel, timeframe, store, scores)
        frequency = frequency_of(timeframe)
        shown = "1day" if frequency == "day" else frequency
        PortAnaRecord(
            recorder, config, risk_analysis_freq=frequency, indicator_analysis_freq=frequency
        ).generate()
        report = recorder.load_object(f"portfolio_analysis/report_normal_{shown}.pkl")  # type: ignore[attr-defined]
        signal = {name: recorder.list_metrics()[name] for name in ("IC", "ICIR", "Rank IC", "Rank ICIR")}  # type: ignore[attr-defined]
        recorder_id = str(recorder.id)  # type: ignore[attr-defined]
    traded = bool((report["turnover"] > 0).any())
    return TaskResult(
        scores=scores,
        report=report,
        figures={**_signal_figures(signal), **portfolio_figures(report, timeframe)},
        causes=() if traded else why_nothing_traded(_given(task, timeframe, store, scores, config)),
        recorder_id=recorder_id,
    )


def _dataset(task: QlibTask, panel: pd.DataFrame, timeframe: Timeframe, store: BinStore) -> Any:  # noqa: ANN401
    from qlib.data.dataset import DatasetH
    from qlib.utils import init_instance_by_config

    from quantbus_research.engine.handler import PanelHandler

    handler = (
        init_instance_by_config(dict(task.handler))
        if task.handler is not None
        else PanelHandler(
            panel, store.manifest.codes, task.factors, timeframe.name, horizon_bars=task.horizon_bars
        )
    )
    named = {"train": task.segments.train, "valid": task.segments.valid, "test": task.segments.test}
    return DatasetH(handler, segments={name: tuple(map(_naive, span)) for name, span in named.items()})


def _trading(
    task: QlibTask, panel: pd.DataFrame, timeframe: Timeframe, store: BinStore, scores: pd.DataFrame
) -> dict[str, Any]:
    frequency = frequency_of(timeframe)
    held = scores if task.min_score is None else scores.where(scores >= task.min_score).dropna()
    # One bar before the last: Qlib looks at the bar after each deal.
    last = min(_naive(task.segments.test[1]), _naive(panel.index.get_level_values(1).max()) - timeframe.delta)
    return {
        "strategy": {
            "class": "TopkDropoutStrategy",
            "module_path": "qlib.contrib.strategy",
            "kwargs": {"signal": held, "topk": task.top_k, "n_drop": task.n_drop},
        },
        "executor": {
            "class": "SimulatorExecutor",
            "module_path": "qlib.backtest.executor",
            "kwargs": {"time_per_step": frequency, "generate_portfolio_metrics": True},
        },
        "backtest": {
            "start_time": _naive(task.segments.test[0]),
            "end_time": last,
            "account": task.account,
            "benchmark": _benchmark(task, panel),
            "exchange_kwargs": {
                "freq": frequency,
                "deal_price": "open",
                "open_cost": task.fee,
                "close_cost": task.fee,
                "min_cost": 0.0,
                "trade_unit": None,
                "limit_threshold": None,
                "codes": sorted(set(store.manifest.codes.values())),
            },
        },
    }


def _given(
    task: QlibTask, timeframe: Timeframe, store: BinStore, scores: pd.DataFrame, config: Mapping[str, Any]
) -> Backtested:
    return Backtested(
        scores=scores,
        store=store,
        timeframe=timeframe,
        start=config["backtest"]["start_time"],
        end=config["backtest"]["end_time"],
        top_k=task.top_k,
        min_score=task.min_score,
        account=task.account,
    )


def _benchmark(task: QlibTask, panel: pd.DataFrame) -> pd.Series:
    """Return the return of each bar; handed over as numbers, or Qlib would look for daily data first."""
    closes = panel["close"].unstack(level=0)
    chosen = closes if task.benchmark is None else closes[[task.benchmark]]
    moved = chosen.pct_change(fill_method=None).mean(axis=1).fillna(0.0)
    return pd.Series(moved.to_numpy(), index=pd.DatetimeIndex(moved.index).tz_localize(None).as_unit("ns"))


def _signal_figures(metrics: Mapping[str, float]) -> dict[str, float]:
    return {
        "ic": metrics["IC"],
        "icir": metrics["ICIR"],
        "rank_ic": metrics["Rank IC"],
        "rank_icir": metrics["Rank ICIR"],
    }


def portfolio_figures(report: pd.DataFrame, timeframe: Timeframe) -> dict[str, float]:
    """Return what Qlib's report of a portfolio amounts to, with all bars of a year; after costs."""
    year = bars_per_year(timeframe)
    net = (report["return"] - report["cost"]).astype(float)
    bench = report["bench"].astype(float)
    equity = (1.0 + net).cumprod()
    return {
        "annual_return": float(equity.iloc[-1] ** (year / len(net)) - 1.0),
        "sharpe": sharpe_ratio(np.asarray(net, np.float64), year),
        "benchmark_annual_return": float((1.0 + bench).cumprod().iloc[-1] ** (year / len(bench)) - 1.0),
        "excess_sharpe": sharpe_ratio(np.asarray(net - bench, np.float64), year),
        "max_drawdown": -max_drawdown(np.asarray(equity, np.float64), 1.0),
        "turnover_per_bar": float(report["turnover"].mean()),
        "bars_with_deals": float((report["turnover"] > 0).sum()),
        "cost": float(report["total_cost"].iloc[-1]),
    }


def _naive(moment: pd.Timestamp) -> pd.Timestamp:
    stamp = pd.Timestamp(moment)
    return stamp if stamp.tzinfo is None else stamp.tz_convert("UTC").tz_localize(None)
