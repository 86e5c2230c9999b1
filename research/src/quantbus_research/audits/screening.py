"""Screening: missing, variance, stability, RankIC, cluster; the first step that a factor fails refuses it."""

from collections.abc import Sequence
from dataclasses import replace
from math import isfinite, nan
from statistics import NormalDist

import pandas as pd

from quantbus_research.audits._base import FactorFigures, Refusal, Screen
from quantbus_research.audits._clusters import represented

__all__ = ["STEPS", "needed_t", "screened"]

STEPS = ("missing", "variance", "stability", "rank_ic", "cluster")


def needed_t(chance: float, factors: int) -> float:
    """Return the absolute t-statistic that the best of so many worthless factors exceeds only with ``chance``.

    Bonferroni's bound, for any dependence between the factors.
    """
    return NormalDist().inv_cdf(1 - chance / (2 * max(factors, 1)))


def screened(
    factors: Sequence[FactorFigures], table: pd.DataFrame, screen: Screen, least_t: float
) -> tuple[FactorFigures, ...]:
    """Return the figures with representatives and refusals.

    Of a cluster the strongest (by absolute t) that passed the other steps is kept; where none did, the strongest
    represents it and nothing is kept.
    """
    judged = {item.name: replace(item, refusal=_alone(item, screen, least_t)) for item in factors}
    varying = [item for item in judged.values() if item.name in table.index]
    order = sorted(varying, key=lambda item: (item.refusal is not None, -_strength(item), item.name))
    speakers = represented(table, [item.name for item in order], screen.correlation)
    found = []
    for item in judged.values():
        speaker, correlation = speakers.get(item.name, (item.name, nan))
        refusal = item.refusal
        if refusal is None and speaker != item.name:
            said = f"rank correlation {correlation:+.2f} with {speaker}, which is stronger"
            refusal = Refusal("cluster", correlation, screen.correlation, said)
        found.append(replace(item, representative=speaker, correlation=correlation, refusal=refusal))
    return tuple(found)


def _alone(item: FactorFigures, screen: Screen, least_t: float) -> Refusal | None:
    """Ask what can be asked of one factor without the others."""
    figures = item.first
    steady = figures.stability[0]
    if not item.coverage >= screen.coverage:
        said = f"{item.coverage:.1%} of bars have a value, {screen.coverage:.0%} needed"
        return Refusal("missing", item.coverage, screen.coverage, said)
    if not item.varying >= screen.varying:
        said = f"symbols differ in {item.varying:.1%} of bars, {screen.varying:.0%} needed"
        return Refusal("variance", item.varying, screen.varying, said)
    if not steady.same_sign >= screen.same_sign:
        said = (
            f"{steady.same_sign:.0%} of {steady.days}-day windows have the sign of the whole, "
            f"{screen.same_sign:.0%} needed"
            if steady.windows
            else f"there is no whole window of {steady.days} days to judge by"
        )
        return Refusal("stability", steady.same_sign, screen.same_sign, said)
    if not abs(figures.rank_ic) >= screen.rank_ic:
        said = f"RankIC {figures.rank_ic:+.4f}, {screen.rank_ic:g} needed either way"
        return Refusal("rank_ic", figures.rank_ic, screen.rank_ic, said)
    if not abs(figures.t) >= least_t:
        said = f"RankIC {figures.rank_ic:+.4f} has t {figures.t:+.2f}, {least_t:.2f} needed either way"
        return Refusal("rank_ic", figures.t, least_t, said)
    return None


def _strength(item: FactorFigures) -> float:
    t = abs(item.first.t)
    return t if isfinite(t) else (-1.0 if t != t else 1e308)
