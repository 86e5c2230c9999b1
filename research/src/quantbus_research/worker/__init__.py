"""Worker: the always-on loop that runs `infer` when a bar closes."""

from quantbus_research.worker.loop import BarLoop
from quantbus_research.worker.main import run_worker
from quantbus_research.worker.pulse import Pulse

__all__ = ["BarLoop", "Pulse", "run_worker"]
