"""Reconciliation: what was meant, what the bot believes, what the account holds."""

__all__: list[str] = []
