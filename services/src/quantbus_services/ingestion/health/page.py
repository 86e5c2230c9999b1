"""The health report as one page that needs nothing else: no script, no font, no picture from elsewhere."""

from collections.abc import Sequence
from datetime import datetime
from importlib.resources import files

from quantbus_services.ingestion.health.judge import SeriesHealth, moment
from quantbus_services.ingestion.health.main import Examined
from quantbus_services.ingestion.health.report import WORDS, tradable

__all__ = ["health_page"]

_ORDER = ("bad", "look", "good")
_LISTED = 50


def health_page(found: Sequence[Examined], *, made_at: datetime, subject: str) -> str:
    """Return the page as HTML; ``subject`` says what was examined."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"moment": _moment, "day": _day}
    source = files("quantbus_services.ingestion.health").joinpath("page.html.j2").read_text(encoding="utf-8")
    ordered = sorted(found, key=lambda item: _ORDER.index(item.health.verdict))
    healths: list[SeriesHealth] = [item.health for item in ordered]
    return environment.from_string(source).render(
        examined=ordered,
        counts={verdict: sum(item.verdict == verdict for item in healths) for verdict in _ORDER},
        tradable=tradable(healths),
        words=WORDS,
        made_at=made_at,
        subject=subject,
        listed=_LISTED,
    )


def _moment(milliseconds: int | None) -> str:
    return "–" if milliseconds is None else f"{moment(milliseconds):%Y-%m-%d %H:%M}"


def _day(milliseconds: int) -> str:
    return f"{moment(milliseconds):%Y-%m-%d}"
