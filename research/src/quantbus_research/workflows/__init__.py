"""Workflows: each one function that reads as a recipe."""

from quantbus_research.workflows.convert import BarSource, convert, from_freqtrade
from quantbus_research.workflows.infer import Inference, infer
from quantbus_research.workflows.once import OnceReport, run_once
from quantbus_research.workflows.session import Session, open_session
from quantbus_research.workflows.train import Trained, train, training_end
from quantbus_research.workflows.waiting import Pause, newest_bar, wait_for_bar

__all__ = [
    "BarSource",
    "Inference",
    "OnceReport",
    "Pause",
    "Session",
    "Trained",
    "convert",
    "from_freqtrade",
    "infer",
    "newest_bar",
    "open_session",
    "run_once",
    "train",
    "training_end",
    "wait_for_bar",
]
