"""Stretches: did it rank what came later in most of the periods that it had not seen."""

import numpy as np
from numpy.typing import NDArray

from quantbus_research.gates._base import Verdict, figure
from quantbus_research.settings.nodes import GateSettings

__all__ = ["judge_stretches"]

_LEAST = 3


def judge_stretches(rank_ics: NDArray[np.float64], asked: GateSettings) -> Verdict:
    """Ask for the share of stretches whose rank correlation with what came is above zero; unknown ones do not count."""
    known = rank_ics[np.isfinite(rank_ics)]
    wanted = asked.good_stretches_at_least
    if len(known) < _LEAST:
        told = f"{len(known)} stretches out of sample can be judged; at least {_LEAST} are asked for"
        return Verdict("stretches", False, told, {"share": None, "at_least": wanted, "stretches": len(known)})
    share = float((known > 0).mean())
    told = (
        f"its scores rank what came better than chance in {share:.0%} of {len(known)} stretches out of sample "
        f"(rank correlation {float(known.mean()):+.3f} on average); at least {wanted:.0%} is asked for"
    )
    figures = {
        "share": figure(share),
        "at_least": wanted,
        "stretches": len(known),
        "rank_ic": figure(known.mean()),
    }
    return Verdict("stretches", share >= wanted, told, figures)
