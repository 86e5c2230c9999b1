"""What pages load besides themselves: our own style and script, and, where they were made, the charts' libraries.

The libraries are not part of the repository: ``make web`` puts them beside our own files, by npm's lock. Without them
every table is there, and a page with a chart says how to get it.
"""

import hashlib
from dataclasses import dataclass
from http import HTTPStatus
from importlib.resources import files

from fastapi import APIRouter, Request, Response

__all__ = ["Assets", "asset_routes"]

_OWN = ("page.css", "page.js", "candles.js", "delays.js", "icon-good.svg", "icon-look.svg", "icon-bad.svg")
_MADE = ("htmx.min.js", "uPlot.iife.min.js", "uPlot.min.css", "lightweight-charts.standalone.production.js")
_KINDS = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
_A_YEAR = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    content: bytes
    kind: str
    mark: str


class Assets:
    """The files, read once; their address carries a mark of their content, so that browsers may keep them."""

    def __init__(self, folder: str = "quantbus_services.monitor.pages") -> None:
        """Read what stands in the folder ``static`` of that package."""
        root = files(folder).joinpath("static")
        found = {name: root.joinpath(name) for name in _OWN}
        found |= {name: root.joinpath("vendor", name) for name in _MADE}
        self._files = {
            name: _asset(name, file.read_bytes()) for name, file in found.items() if file.is_file()
        }

    @property
    def complete(self) -> bool:
        """Whether the libraries were made."""
        return all(name in self._files for name in _MADE)

    def url(self, name: str) -> str:
        """Return the address of a file; one that was not made has none that answers."""
        asset = self._files.get(name)
        return f"/static/{name}?v={asset.mark if asset else 'none'}"

    def get(self, name: str) -> _Asset | None:
        """Return a file; None if there is none of that name."""
        return self._files.get(name)


def _asset(name: str, content: bytes) -> _Asset:
    mark = hashlib.sha256(content).hexdigest()[:12]
    return _Asset(content, _KINDS[name.rpartition(".")[2]], mark)


def asset_routes(assets: Assets) -> APIRouter:
    """Return the route of the files."""
    router = APIRouter(include_in_schema=False)

    @router.get("/static/{name}")
    async def static(name: str, request: Request) -> Response:
        """Answer with a file of the fixed list."""
        asset = assets.get(name)
        if asset is None:
            return Response(status_code=HTTPStatus.NOT_FOUND)
        kept = _A_YEAR if request.query_params.get("v") == asset.mark else "no-cache"
        return Response(
            asset.content,
            media_type=asset.kind,
            headers={"Cache-Control": kept, "X-Content-Type-Options": "nosniff"},
        )

    return router
