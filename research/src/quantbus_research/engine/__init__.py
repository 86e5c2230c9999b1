"""Engine: Qlib, held behind one adapter.

What is of today's Qlib and MLflow stands here alone: a market that never closes, files in Qlib's own form, a handler
over our panels, tasks with their records, and why a backtest traded nothing. `handler` and `processors` import Qlib
when they are imported, since files for ``qrun`` name their classes; the rest imports it when it is used.
"""

from quantbus_research.engine.bins import BinsManifest, BinStore, PeriodOfBins, export_bins
from quantbus_research.engine.frequency import frequency_of, timeframe_of
from quantbus_research.engine.opening import open_qlib
from quantbus_research.engine.rolling import Rolled, rolled, rolling_segments
from quantbus_research.engine.task import (
    LIGHTGBM,
    LINEAR,
    QlibTask,
    Segments,
    TaskResult,
    portfolio_figures,
    run_task,
)
from quantbus_research.engine.zero_trades import CAUSES, Backtested, Cause, why_nothing_traded

__all__ = [
    "CAUSES",
    "LIGHTGBM",
    "LINEAR",
    "Backtested",
    "BinStore",
    "BinsManifest",
    "Cause",
    "PeriodOfBins",
    "QlibTask",
    "Rolled",
    "Segments",
    "TaskResult",
    "export_bins",
    "frequency_of",
    "open_qlib",
    "portfolio_figures",
    "rolled",
    "rolling_segments",
    "run_task",
    "timeframe_of",
    "why_nothing_traded",
]
