"""The status page: server-rendered, read-only without an admin key, nothing loaded from elsewhere."""

from quantbus_services.monitor.pages.assets import Assets
from quantbus_services.monitor.pages.reads import Chain, Reads, StoredReads
from quantbus_services.monitor.pages.room import page_routes
from quantbus_services.monitor.pages.site import Site

__all__ = ["Assets", "Chain", "Reads", "Site", "StoredReads", "page_routes"]
