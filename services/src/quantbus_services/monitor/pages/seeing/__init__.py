"""The pages that show: one module each, a route and what it gathers."""

from quantbus_services.monitor.pages.seeing.candles import candle_routes
from quantbus_services.monitor.pages.seeing.findings import finding_routes
from quantbus_services.monitor.pages.seeing.freshness import freshness_routes
from quantbus_services.monitor.pages.seeing.lives import life_routes
from quantbus_services.monitor.pages.seeing.overview import overview_routes
from quantbus_services.monitor.pages.seeing.positions import position_routes
from quantbus_services.monitor.pages.seeing.strategies import strategy_routes

__all__ = [
    "candle_routes",
    "finding_routes",
    "freshness_routes",
    "life_routes",
    "overview_routes",
    "position_routes",
    "strategy_routes",
]
