"""Reports: what a backtest or an audit amounts to, for people (one HTML page) and for programs (JSON)."""

from quantbus_research.reports.factor_page import factor_page
from quantbus_research.reports.page import Report, backtest_report
from quantbus_research.reports.summary import Figures, Summary, figures_of, summarise

__all__ = ["Figures", "Report", "Summary", "backtest_report", "factor_page", "figures_of", "summarise"]
