"""Workflows: each one function that reads as a recipe."""

from quantbus_research.workflows.audit import (
    AuditFiles,
    LastWord,
    chosen_factors,
    filled,
    keep_audit,
    keep_last_word,
    last_word,
    parameters_of,
    warmed_panel,
)
from quantbus_research.workflows.backtest import (
    Outcome,
    Terms,
    backtest_positions,
    backtest_signals,
    keep_backtest,
    signals_between,
)
from quantbus_research.workflows.bus_clock import BusClock
from quantbus_research.workflows.convert import BarSource, convert, from_freqtrade
from quantbus_research.workflows.infer import Inference, infer
from quantbus_research.workflows.leaving import leave_in_time
from quantbus_research.workflows.living import require_live
from quantbus_research.workflows.once import OnceReport, run_once
from quantbus_research.workflows.permitted import require_passed
from quantbus_research.workflows.predict import Prediction, predict
from quantbus_research.workflows.promote import Promotion, Rollback, promote, rollback
from quantbus_research.workflows.session import Session, Stage, open_session, shadow_id
from quantbus_research.workflows.shadow import Comparison, Voice, compare_voices, read_voices
from quantbus_research.workflows.speaking import Speaker, speaker_at, speaker_of
from quantbus_research.workflows.staged import NoModel, SawTheFuture, staged
from quantbus_research.workflows.timeliness import timing_of
from quantbus_research.workflows.train import (
    Plan,
    Trained,
    narrowed,
    rehearse,
    train,
    train_now,
    training_end,
)
from quantbus_research.workflows.waiting import Pause, newest_bar, wait_for_bar
from quantbus_research.workflows.why import FactorPart, Why, why

__all__ = [
    "AuditFiles",
    "BarSource",
    "BusClock",
    "Comparison",
    "FactorPart",
    "Inference",
    "LastWord",
    "NoModel",
    "OnceReport",
    "Outcome",
    "Pause",
    "Plan",
    "Prediction",
    "Promotion",
    "Rollback",
    "SawTheFuture",
    "Session",
    "Speaker",
    "Stage",
    "Terms",
    "Trained",
    "Voice",
    "Why",
    "backtest_positions",
    "backtest_signals",
    "chosen_factors",
    "compare_voices",
    "convert",
    "filled",
    "from_freqtrade",
    "infer",
    "keep_audit",
    "keep_backtest",
    "keep_last_word",
    "last_word",
    "leave_in_time",
    "narrowed",
    "newest_bar",
    "open_session",
    "parameters_of",
    "predict",
    "promote",
    "read_voices",
    "rehearse",
    "require_live",
    "require_passed",
    "rollback",
    "run_once",
    "shadow_id",
    "signals_between",
    "speaker_at",
    "speaker_of",
    "staged",
    "timing_of",
    "train",
    "train_now",
    "training_end",
    "wait_for_bar",
    "warmed_panel",
    "why",
]
