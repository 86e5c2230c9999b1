"""The status page put together: every route, over what the monitor knows and what the bus holds."""

from fastapi import APIRouter

from quantbus_services.monitor.pages.acting import acknowledging_routes, control_routes, door_routes
from quantbus_services.monitor.pages.assets import asset_routes
from quantbus_services.monitor.pages.seeing import (
    candle_routes,
    finding_routes,
    freshness_routes,
    life_routes,
    overview_routes,
    position_routes,
    strategy_routes,
)
from quantbus_services.monitor.pages.site import Site

__all__ = ["page_routes"]

_ROUTES = (
    overview_routes,
    strategy_routes,
    life_routes,
    candle_routes,
    position_routes,
    freshness_routes,
    finding_routes,
    control_routes,
    acknowledging_routes,
    door_routes,
)


def page_routes(site: Site) -> APIRouter:
    """Return every route of the status page."""
    router = APIRouter(include_in_schema=False)
    for routes in _ROUTES:
        router.include_router(routes(site))
    router.include_router(asset_routes(site.assets))
    return router
