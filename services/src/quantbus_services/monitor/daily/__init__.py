"""The daily report: facts are gathered, judged without asking anything more, and written down in two forms."""

from quantbus_services.monitor.daily.main import make_report
from quantbus_services.monitor.daily.markdown import markdown_of
from quantbus_services.monitor.daily.page import page_of
from quantbus_services.monitor.daily.report import DayReport

__all__ = ["DayReport", "make_report", "markdown_of", "page_of"]
