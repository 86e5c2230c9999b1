"""An audit in writing: a table of all figures, plain values for JSON, and a summary that claims no more than that."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from math import isfinite

import pandas as pd

from quantbus_research.audits._base import Audit, FactorFigures, HorizonFigures
from quantbus_research.audits.screening import STEPS
from quantbus_research.evaluation import with_none_for_nan

__all__ = ["as_dict", "factor_summary", "remarks", "summary_text"]

_TOO_GOOD = 0.2
"""An absolute mean RankIC from which on a leak is likelier than skill."""
_MOST_NAMES = 12
_PLAIN = (
    "bars", "rank_ic", "ic_deviation", "icir", "t", "positive", "first_half", "second_half", "turnover",
    "direction", "before_costs", "after_costs", "sharpe", "break_even_rate",
)  # fmt: skip


def factor_summary(audit: Audit) -> pd.DataFrame:
    """Return one row for each factor; columns of a horizon begin with ``h1_``, of a window with ``h1_30d_``."""
    rows = [_row(item) for item in audit.factors]
    return pd.DataFrame(rows).set_index("factor")


def as_dict(audit: Audit) -> dict[str, object]:
    """Return plain values, ready for JSON; a figure that does not exist is None."""
    settings = asdict(audit.settings)
    plain = {
        "timeframe": audit.timeframe.name,
        "symbols": list(audit.symbols),
        "first_bar": audit.first_bar.isoformat(),
        "last_bar": audit.last_bar.isoformat(),
        "second_half_from": audit.halfway.isoformat(),
        "bars": audit.bars,
        "settings": settings,
        "needed_t": audit.needed_t,
        "kept": [item.name for item in audit.kept],
        "remarks": remarks(audit),
        "factors": [asdict(item) for item in audit.factors],
    }
    return {name: with_none_for_nan(value) for name, value in plain.items()}


def remarks(audit: Audit) -> list[str]:
    """Return what should be said of the whole."""
    kept, first = audit.kept, audit.settings.horizons[0]
    said = [_verdict(audit)]
    losing = [item.name for item in kept if not item.first.after_costs > 0]
    if kept and losing:
        said.append(
            f"Traded alone at a horizon of {_bars(first)}, {_counted(len(losing), 'kept factor')} did not pay for "
            f"{'its' if len(losing) == 1 else 'their'} costs: {_named(losing)}."
        )
    turned = [item.name for item in audit.factors if item.first.first_half * item.first.second_half < 0]
    if turned:
        said.append(
            f"{_counted(len(turned), 'factor')} changed sign between the halves of time: {_named(turned)}."
        )
    leaking = [item.name for item in audit.factors if abs(item.first.rank_ic) >= _TOO_GOOD]
    if leaking:
        said.append(f"Too good to be true, look for a leak first: {_named(leaking)}.")
    said.append(
        f"Tried: {_counted(len(audit.factors), 'factor')}. By luck alone the best of so many has an absolute t above "
        f"{audit.needed_t:.2f} with {audit.settings.screen.chance:.0%} at most. The screening itself saw all of this "
        "time: what was kept must prove itself on time that it has not seen."
    )
    costs = audit.settings.costs
    said.append(
        f"Long-short is half of the capital long and half short, equal weights; each order costs "
        f"{costs.round_trip_rate() / 2:.4%} of its value; no impact, no funding, no borrowing fee, and no "
        "symbol that is missing from the data, such as a coin that was delisted."
    )
    return said


def summary_text(audit: Audit, title: str = "Factor audit") -> str:
    """Return ``summary.md``."""
    lines = [f"# {title}", "", _what(audit), ""]
    lines += [f"- {said}" for said in remarks(audit)]
    for number, bars in enumerate(audit.settings.horizons):
        lines += ["", f"## Horizon {_bars(bars)}", "", *_table(audit, number)]
    lines += ["", "## Screening", "", *_screening(audit), "", "## Clusters", "", *_clusters(audit)]
    return "\n".join(lines) + "\n"


def _what(audit: Audit) -> str:
    return (
        f"{len(audit.symbols)} symbols, {audit.timeframe.name} bars, {audit.bars:,} of them, "
        f"{audit.first_bar:%Y-%m-%d %H:%M} to {audit.last_bar:%Y-%m-%d %H:%M} UTC. Returns run from the open after a "
        f"bar. Long-short figures are of the second half, from {audit.halfway:%Y-%m-%d %H:%M}, in the direction that "
        "the first half told."
    )


def _verdict(audit: Audit) -> str:
    kept = audit.kept
    if not kept:
        return f"None of {_counted(len(audit.factors), 'factor')} passed the screening."
    paying = sum(item.first.after_costs > 0 for item in kept)
    return (
        f"{len(kept)} of {_counted(len(audit.factors), 'factor')} passed the screening; "
        f"{paying or 'none'} of them had something left after costs in the second half."
    )


def _table(audit: Audit, number: int) -> Iterator[str]:
    yield "| factor | RankIC | ICIR | t | halves | turnover a bar | before costs a year | after | break-even cost |"
    yield "|---|---:|---:|---:|---|---:|---:|---:|---:|"
    for item in sorted(audit.factors, key=lambda item: -_size(item.horizons[number].t)):
        at = item.horizons[number]
        halves = f"{_shown(at.first_half, '+.4f')} / {_shown(at.second_half, '+.4f')}"
        cells = (
            item.name, _shown(at.rank_ic, "+.4f"), _shown(at.icir, "+.3f"), _shown(at.t, "+.2f"), halves,
            _shown(at.turnover, ".1%"), _shown(at.before_costs, "+.1%"), _shown(at.after_costs, "+.1%"),
            _shown(at.break_even_rate, ".4%"),
        )  # fmt: skip
        yield f"| {' | '.join(cells)} |"


def _screening(audit: Audit) -> Iterator[str]:
    left = len(audit.factors)
    yield "| step | refused | left |"
    yield "|---|---:|---:|"
    for step in STEPS:
        refused = sum(item.refusal is not None and item.refusal.step == step for item in audit.factors)
        left -= refused
        yield f"| {step} | {refused} | {left} |"
    yield ""
    for item in audit.factors:
        yield f"- {item.name}: " + (
            "kept" if item.refusal is None else f"{item.refusal.step}: {item.refusal.reason}"
        )


def _clusters(audit: Audit) -> Iterator[str]:
    for speaker in dict.fromkeys(item.representative for item in audit.factors):
        others = [
            f"{item.name} ({item.correlation:+.2f})"
            for item in audit.factors
            if item.representative == speaker and item.name != speaker
        ]
        yield f"- **{speaker}**" + (f": {', '.join(others)}" if others else "")


def _row(item: FactorFigures) -> dict[str, object]:
    refusal = item.refusal
    row: dict[str, object] = {
        "factor": item.name,
        "kept": refusal is None,
        "refused_at": "" if refusal is None else refusal.step,
        "reason": "" if refusal is None else refusal.reason,
        "representative": item.representative,
        "correlation": item.correlation,
        "coverage": item.coverage,
        "varying": item.varying,
    }
    for at in item.horizons:
        row |= _columns(at)
    return row | {f"decay_{bars}": value for bars, value in item.decay.items()}


def _columns(at: HorizonFigures) -> dict[str, object]:
    start = f"h{at.horizon_bars}"
    row: dict[str, object] = {f"{start}_{name}": getattr(at, name) for name in _PLAIN}
    row |= {f"{start}_quantile_{number}": value for number, value in enumerate(at.quantile_returns, 1)}
    for window in at.stability:
        figures = {name: value for name, value in asdict(window).items() if name != "days"}
        row |= {f"{start}_{window.days}d_{name}": value for name, value in figures.items()}
    return row


def _shown(value: float, form: str) -> str:
    return format(value, form) if isfinite(value) else "–"


def _size(value: float) -> float:
    return abs(value) if value == value else -1.0


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _MOST_NAMES
    return ", ".join(names[:_MOST_NAMES]) + (f" and {rest} more" if rest > 0 else "")


def _bars(count: int) -> str:
    return _counted(count, "bar")


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
