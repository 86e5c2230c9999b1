"""What only a person with an admin key does: sign in, set and lift controls, take findings on."""

from quantbus_services.monitor.pages.acting.acknowledging import acknowledging_routes
from quantbus_services.monitor.pages.acting.controls import control_routes
from quantbus_services.monitor.pages.acting.door import door_routes

__all__ = ["acknowledging_routes", "control_routes", "door_routes"]
