"""A factor audit as one page that needs nothing else."""

from collections.abc import Sequence
from importlib.resources import files
from math import isfinite

from quantbus_research.audits import STEPS, Audit, FactorFigures, remarks
from quantbus_research.reports import factor_pictures
from quantbus_research.settings.extras import load

__all__ = ["factor_page"]

_SHOWN_AS_LINES = 6


def factor_page(audit: Audit, *, title: str = "Factor audit") -> str:
    """Return the page as HTML.

    Raises
    ------
    ConfigError
        If the extra ``reports`` is not installed.
    """
    jinja = load("jinja2", extra="reports", purpose="a factor audit's page")
    surroundings = jinja.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    folder = files("quantbus_research.reports")
    page = surroundings.from_string((folder / "factor_page.html.j2").read_text(encoding="utf-8"))
    strongest = sorted(audit.factors, key=_weakness)
    chosen = sorted(audit.kept, key=_weakness)[:_SHOWN_AS_LINES] or strongest[:_SHOWN_AS_LINES]
    html: str = page.render(
        title=title,
        audit=audit,
        remarks=remarks(audit),
        steps=STEPS,
        factors=strongest,
        members=_members(audit),
        number=_number,
        pictures=_pictures(audit, strongest[:40], chosen),
    )
    return html


def _pictures(
    audit: Audit, strongest: Sequence[FactorFigures], chosen: Sequence[FactorFigures]
) -> dict[str, str]:
    return {
        "rank_ic": factor_pictures.rank_ic_picture(audit, strongest),
        "decay": factor_pictures.decay_picture(audit, chosen),
        "steadiness": factor_pictures.steadiness_picture(audit, chosen),
        "quantiles": factor_pictures.quantile_picture(audit, chosen),
        "long_short": factor_pictures.long_short_picture(audit, chosen),
        "correlations": factor_pictures.correlation_picture(audit),
    }


def _members(audit: Audit) -> dict[str, list[FactorFigures]]:
    clusters: dict[str, list[FactorFigures]] = {}
    for item in audit.factors:
        clusters.setdefault(item.representative, []).append(item)
    return {name: sorted(items, key=lambda item: -abs(item.correlation)) for name, items in clusters.items()}


def _weakness(item: FactorFigures) -> float:
    return -abs(item.first.t) if item.first.t == item.first.t else 1.0


def _number(value: float, form: str) -> str:
    return format(value, form) if isfinite(value) else "–"
