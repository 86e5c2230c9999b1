"""The report as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from importlib.resources import files

from quantbus_services.monitor.daily.report import DayReport
from quantbus_services.monitor.daily.telling import OUTCOMES, headline, money, share, totals_of
from quantbus_services.monitor.pages.words import amount, count, moment, percent, span

__all__ = ["page_of"]

_OPENED = 8
"""Of so many strategies all is shown at once; of more the reader opens what the table points to."""


def page_of(report: DayReport) -> str:
    """Return the whole report as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {
        "amount": amount,
        "moment": moment,
        "money": money,
        "percent": percent,
        "share": share,
        "span": span,
    }
    environment.globals["count"] = count
    source = files("quantbus_services.monitor.daily").joinpath("page.html.j2").read_text(encoding="utf-8")
    sheet = (
        files("quantbus_services.monitor.pages").joinpath("static", "page.css").read_text(encoding="utf-8")
    )
    told, level = headline(report)
    return environment.from_string(source).render(
        report=report,
        totals=totals_of(report.strategies),
        outcomes=OUTCOMES,
        headline=told,
        level=level,
        opened=_OPENED,
        sheet=sheet,
    )
