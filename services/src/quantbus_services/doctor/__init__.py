"""Looks at an installation as a whole, says what is wrong with it, and what to do about it; changes nothing."""

from quantbus_services.doctor.catalogue import CHECKS
from quantbus_services.doctor.findings import Finding, Status

__all__ = ["CHECKS", "Finding", "Status"]
