"""Holds a bot's config against itself and the bus before the bot is started, one sentence for each finding."""

from quantbus_executor.checking.findings import Finding, Severity, is_fit
from quantbus_executor.checking.inspection import inspect

__all__ = ["Finding", "Severity", "inspect", "is_fit"]
