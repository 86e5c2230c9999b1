"""Audit: which factors, bars with enough before them to warm these up, and the files that say what they are worth."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from pathlib import Path

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market import MarketQuery
from quantbus_research.audits import (
    Audit,
    LastStep,
    Orthogonal,
    Selection,
    as_dict,
    factor_summary,
    orthogonalised,
    select_last,
    summary_text,
)
from quantbus_research.dataset import FrameSource
from quantbus_research.evaluation import with_none_for_nan
from quantbus_research.factors import compute, factor_sets, lookback_bars, select
from quantbus_research.reports import factor_page

__all__ = [
    "AuditFiles",
    "LastWord",
    "chosen_factors",
    "filled",
    "keep_audit",
    "keep_last_word",
    "last_word",
    "parameters_of",
    "warmed_panel",
]

_PLACE = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class AuditFiles:
    """Where an audit stands written."""

    table: Path
    summary: Path
    page: Path
    figures: Path


@dataclass(frozen=True, slots=True)
class LastWord:
    """What of the kept factors adds something beside the others, and what they are in directions of their own."""

    selection: Selection
    orthogonal: Orthogonal

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON; a figure that does not exist is None."""
        chosen, turned = self.selection, self.orthogonal
        told = {
            "settings": asdict(chosen.settings),
            "judged_from": chosen.judged_from.isoformat(),
            "rows": chosen.rows,
            "penalty": chosen.penalty,
            "weights": dict(chosen.weights),
            "chosen": list(chosen.chosen),
            "rank_ic": chosen.rank_ic,
            "rank_ic_later": chosen.rank_ic_later,
            "best": chosen.best,
            "best_later": chosen.best_later,
            "told": chosen.told,
            "components": [asdict(item) for item in turned.components],
            "loadings": {str(name): row.to_dict() for name, row in turned.loadings.iterrows()},
            "means": turned.means.to_dict(),
        }
        return {name: with_none_for_nan(value) for name, value in told.items()}


def parameters_of(file: Path) -> dict[str, int]:
    """Return the whole numbers in a JSON file of parameters by name, however deep they stand.

    Such as Freqtrade writes beside a strategy after a hyperopt: ``{"params": {"buy": {"ema_fast": 12}}}``.

    Raises
    ------
    ConfigError
        If it is no JSON object, or one name has two values.
    """
    try:
        told = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"expected parameters as JSON in {file}: {error}") from None
    found: dict[str, int] = {}
    for name, value in _numbers(told):
        if found.setdefault(name, value) != value:
            raise ConfigError(f"expected one value of {name!r} in {file}, found {found[name]} and {value}")
    if not found:
        raise ConfigError(f"expected parameters that are whole numbers in {file}, found none")
    return found


def _numbers(told: object) -> Iterator[tuple[str, int]]:
    for name, value in told.items() if isinstance(told, dict) else ():
        if isinstance(value, int) and not isinstance(value, bool):
            yield str(name), value
        yield from _numbers(value)


def filled(names: Sequence[str], parameters: Mapping[str, int]) -> list[str]:
    """Return factors with their placeholders filled: ``ema_distance_{ema_fast}`` becomes ``ema_distance_12``.

    Raises
    ------
    ConfigError
        If a parameter is not given; the nearest that is given is named.
    """

    def value(place: re.Match[str]) -> str:
        if place[1] in parameters:
            return str(parameters[place[1]])
        near = get_close_matches(place[1], parameters, n=1)
        hint = (
            f"did you mean {near[0]!r}?" if near else f"given are {', '.join(sorted(parameters)) or 'none'}"
        )
        raise ConfigError(f"expected a parameter {place[1]!r} for the factor {place.string!r}; {hint}")

    return [_PLACE.sub(value, name) for name in names]


def chosen_factors(names: Sequence[str]) -> tuple[str, ...]:
    """Return the factors that sets and names mean together, each once, in the order given.

    Raises
    ------
    ConfigError
        If a name means neither.
    """
    sets = factor_sets()
    chosen = dict.fromkeys(member for name in names for member in sets.get(name, (name,)))
    select(list(chosen))
    return tuple(chosen)


def warmed_panel(source: FrameSource, query: MarketQuery, names: Sequence[str]) -> pd.DataFrame:
    """Return the bars of the question and as many before them as the factors look back.

    Raises
    ------
    ConfigError
        If a symbol has no bars in the range that is asked for.
    """
    warm_up = (lookback_bars(names) - 1) * query.timeframe.delta
    panel = source(query.symbols, query.timeframe, query.start - warm_up, query.end)
    asked = panel[panel.index.get_level_values(1) >= query.start]
    lacking = sorted(set(query.symbols) - set(asked.index.get_level_values(0)))
    if lacking:
        raise ConfigError(
            f"expected {query.timeframe.name} bars of each pair, found none of {', '.join(lacking)}; leave it out, "
            "choose another range, or bring them in with `quantbus ingest backfill` or `import`"
        )
    return panel


def keep_audit(audit: Audit, folder: Path, *, title: str = "Factor audit") -> AuditFiles:
    """Write the table, the summary, the page and all figures into ``folder``."""
    page = factor_page(audit, title=title)  # first: without the extra nothing is written
    folder.mkdir(parents=True, exist_ok=True)
    files = AuditFiles(
        folder / "factor_summary.csv", folder / "summary.md", folder / "audit.html", folder / "audit.json"
    )
    factor_summary(audit).to_csv(files.table)
    files.summary.write_text(summary_text(audit, title), encoding="utf-8")
    files.page.write_text(page, encoding="utf-8")
    files.figures.write_text(json.dumps(as_dict(audit), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return files


def last_word(audit: Audit, panel: pd.DataFrame, step: LastStep) -> LastWord | None:
    """Choose among the factors that an audit kept; None if it kept fewer than two.

    ``panel`` is the one that was audited, warm-up included.
    """
    names = [item.name for item in audit.kept]
    if len(names) < 2:
        return None
    judged = panel.index.get_level_values(1) >= audit.first_bar
    values, bars = compute(panel, names)[judged], panel[judged]
    horizon = audit.settings.horizons[0]
    return LastWord(
        select_last(values, bars, audit.timeframe, horizon, step),
        orthogonalised(values, bars, audit.timeframe, horizon, step),
    )


def keep_last_word(said: LastWord, folder: Path) -> Path:
    """Write ``selection.json`` beside an audit's files."""
    file = folder / "selection.json"
    file.write_text(json.dumps(said.as_dict(), indent=2, allow_nan=False) + "\n", encoding="utf-8")
    return file
