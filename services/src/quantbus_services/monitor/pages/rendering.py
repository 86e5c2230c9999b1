"""Turns what a page found into HTML: everything from outside is escaped, nothing from elsewhere is loaded."""

from collections.abc import Mapping
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from quantbus_services.monitor.pages import words
from quantbus_services.monitor.pages.assets import Assets

__all__ = ["HEADERS", "Renderer"]

HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    # Our own forms say where they come from; others learn nothing.
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
}


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("quantbus_services.monitor.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {
        "ago": words.ago,
        "amount": words.amount,
        "clock": words.clock,
        "moment": words.moment,
        "percent": words.percent,
        "span": words.span,
        "in_url": lambda text: quote(str(text), safe=""),
    }
    environment.globals["count"] = words.count
    return environment


class Renderer:
    """Renders templates, which all know the assets."""

    def __init__(self, assets: Assets) -> None:
        """Name ``assets`` in pages."""
        self._assets = assets

    def html(self, template: str, context: Mapping[str, object]) -> str:
        """Return a page."""
        return _environment().get_template(template).render(assets=self._assets, **context)
