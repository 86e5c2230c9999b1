"""Audit: bars with enough before them to warm the factors up, and the files that say what the factors are worth."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market import MarketQuery
from quantbus_research.audits import Audit, as_dict, factor_summary, summary_text
from quantbus_research.dataset import FrameSource
from quantbus_research.factors import factor_sets, lookback_bars, select
from quantbus_research.reports import factor_page

__all__ = ["AuditFiles", "chosen_factors", "keep_audit", "warmed_panel"]


@dataclass(frozen=True, slots=True)
class AuditFiles:
    """Where an audit stands written."""

    table: Path
    summary: Path
    page: Path
    figures: Path


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
