"""``/signals/{id}``: the life of one signal, and why it was or was not traded."""

from datetime import datetime
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse

from quantbus_contracts.policy import remedies_for, sentence_of, verdict_on
from quantbus_services.monitor.pages.refusals import Refused
from quantbus_services.monitor.pages.seeing.outcomes import says
from quantbus_services.monitor.pages.seeing.waterfall import waterfalls_of
from quantbus_services.monitor.pages.site import Site

__all__ = ["life_routes"]

_FACTS = (
    "symbol",
    "timeframe",
    "ref_price",
    "stop_price",
    "leverage",
    "note",
    "source",
    "degraded",
    "origin",
    "model_id",
    "model_hash",
    "snapshot_id",
    "code_version",
    "config_hash",
)


def life_routes(site: Site) -> APIRouter:
    """Return the page's route."""
    router = APIRouter(include_in_schema=False)

    @router.get("/signals/{signal_id}")
    async def life(request: Request, signal_id: Annotated[str, Path(max_length=64)]) -> HTMLResponse:
        """Show one signal's life."""

        async def gather(now: datetime) -> dict[str, object]:
            found = await site.reads.life_of(signal_id)
            if found is None:
                raise Refused(HTTPStatus.NOT_FOUND, "The bus knows no signal with this id.")
            signal = found.published.signal
            verdict, *further = verdict_on(found)
            return {
                "life": found,
                "signal": signal,
                "says": says(signal),
                "says_of": says,
                "in_short": verdict,
                "told": further,
                "remedies": remedies_for(found),
                "waterfalls": waterfalls_of(found),
                "revisions": [*found.published.history, found.published],
                "sentence_of": sentence_of,
                "facts": {
                    name.replace("_", " "): value
                    for name in _FACTS
                    if (value := getattr(signal, name)) is not None
                },
            }

        return await site.show(request, "signal.html.j2", gather)

    return router
