"""Exactly once: a claim in an own file before each order, what became of it by asking, and one bot per account."""
