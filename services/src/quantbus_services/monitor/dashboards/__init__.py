"""Grafana's dashboards as code: what each shows, and the files that Grafana is provisioned with."""

from quantbus_services.monitor.dashboards.catalogue import DASHBOARDS, files, write_dashboards
from quantbus_services.monitor.dashboards.model import Dashboard, Panel

__all__ = ["DASHBOARDS", "Dashboard", "Panel", "files", "write_dashboards"]
