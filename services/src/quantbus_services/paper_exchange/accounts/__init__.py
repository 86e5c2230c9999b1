"""Accounts of the paper exchange: keys, balances, orders, fills and positions, without any money.

Everything follows from the exchange's own price path and clock; equal requests at equal times have equal ends.
"""
