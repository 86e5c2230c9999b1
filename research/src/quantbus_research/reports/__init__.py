"""Reports: what a backtest amounts to, for people (one HTML page) and for programs (JSON)."""

from quantbus_research.reports.page import Report, backtest_report
from quantbus_research.reports.summary import Figures, Summary, figures_of, summarise

__all__ = ["Figures", "Report", "Summary", "backtest_report", "figures_of", "summarise"]
