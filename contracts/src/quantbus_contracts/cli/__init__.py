"""The root command ``quantbus``; each installed member adds its own verbs through entry points."""

from quantbus_contracts.cli.root import main

__all__ = ["main"]
