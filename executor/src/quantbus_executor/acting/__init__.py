"""Deciding and doing: which signals are offered to enter with, what is staked, what is left, and why."""
