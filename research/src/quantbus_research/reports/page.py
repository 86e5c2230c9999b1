"""A backtest's report: one page that needs nothing else, and the same as JSON."""

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from math import isfinite
from pathlib import Path

from quantbus_research.backtests import Backtest
from quantbus_research.reports import pictures
from quantbus_research.reports.summary import Figures, Summary, summarise
from quantbus_research.settings.extras import load

__all__ = ["Judged", "Report", "backtest_report"]

_ROWS = (
    ("Total return", "total_return", "percent"),
    ("Return a year", "annual_return", "percent"),
    ("Volatility a year", "annual_volatility", "percent"),
    ("Sharpe ratio a year", "sharpe", "number"),
    ("Sortino ratio a year", "sortino", "number"),
    ("Calmar ratio", "calmar", "number"),
    ("Deepest drawdown", "max_drawdown", "percent"),
    ("Longest drawdown, bars", "longest_drawdown_bars", "count"),
    ("Turnover a year, times the capital", "annual_turnover", "number"),
    ("Gross exposure, mean", "mean_gross_exposure", "percent"),
    ("Net exposure, mean", "mean_net_exposure", "percent"),
    ("Bars with a position", "time_in_market", "percent"),
    ("Trades", "trades", "count"),
    ("Trades won", "won", "percent"),
    ("Profit factor", "profit_factor", "number"),
    ("Fees paid", "fees", "money"),
    ("Spread and impact paid", "slippage", "money"),
    ("Funding paid", "funding", "money"),
)
Judged = tuple[str, bool, str]
"""A gate, whether it was passed, and what it found."""
_FORMS = {"percent": "{:.2%}", "number": "{:.2f}", "count": "{:,.0f}", "money": "{:,.2f}"}


class Report:
    """What a backtest amounts to, and how to show it."""

    def __init__(self, summary: Summary, html: str, judged: Sequence[Judged] = ()) -> None:
        """Hold both forms; use `backtest_report`."""
        self.summary = summary
        self.html = html
        self.judged = tuple(judged)

    @property
    def json(self) -> str:
        """The figures as JSON; None where one does not exist."""
        gates = [{"gate": name, "passed": passed, "told": told} for name, passed, told in self.judged]
        whole = self.summary.as_dict() | ({"gates": gates} if gates else {})
        return json.dumps(whole, indent=2, allow_nan=False) + "\n"

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write ``report.html`` and ``report.json`` into the folder, and return their paths."""
        folder.mkdir(parents=True, exist_ok=True)
        page, figures = folder / "report.html", folder / "report.json"
        page.write_text(self.html, encoding="utf-8")
        figures.write_text(self.json, encoding="utf-8")
        return page, figures


def backtest_report(
    backtest: Backtest,
    *,
    title: str,
    holding: Backtest | None = None,
    other_costs: Mapping[str, Backtest] | None = None,
    trial_sharpe_ratios: Sequence[float] = (),
    judged: Sequence[Judged] = (),
) -> Report:
    """Return the report of a run; the arguments are those of `summarise`, and what the gates said.

    Raises
    ------
    ConfigError
        If the extra ``reports`` is not installed.
    """
    summary = summarise(
        backtest, holding=holding, other_costs=other_costs, trial_sharpe_ratios=trial_sharpe_ratios
    )
    jinja = load("jinja2", extra="reports", purpose="a report's page")
    surroundings = jinja.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    text = (files("quantbus_research.reports") / "page.html.j2").read_text(encoding="utf-8")
    at_other_costs = {name: figures.total_return for name, figures in summary.at_other_costs.items()}
    html = surroundings.from_string(text).render(
        title=title,
        summary=summary,
        rows=_ROWS,
        judged=judged,
        shown=_shown,
        percent=lambda value: _formed(value, "percent"),
        pictures={
            "equity": pictures.equity_picture(backtest, holding),
            "trading": pictures.trading_picture(backtest),
            "months": pictures.months_picture(summary.per_month),
            "symbols": pictures.symbols_picture(summary.per_symbol),
            "costs": pictures.costs_picture(at_other_costs) if at_other_costs else "",
        },
    )
    return Report(summary, html, judged)


def _shown(figures: Figures, name: str, form: str) -> str:
    return _formed(getattr(figures, name), form)


def _formed(value: float, form: str) -> str:
    return _FORMS[form].format(value) if isfinite(value) else "–"
