"""The columns of a panel, and what several families make of them."""

from quantbus_research.factors.expressions import (
    TIME,
    Node,
    absolute,
    column,
    greater,
    lag,
    lesser,
    log_return,
    sign,
)

__all__ = [
    "absolute_return",
    "ask_depth",
    "basis_bps",
    "bid_depth",
    "close",
    "funding",
    "high",
    "low",
    "open_",
    "open_interest",
    "returns",
    "signed_volume",
    "spread_bps",
    "time",
    "true_range",
    "turnover",
    "typical_price",
    "volume",
]

open_, high, low, close, volume = (column(name) for name in ("open", "high", "low", "close", "volume"))
time = column(TIME)
# Not every panel has these; a factor that reads one asks for it.
funding, basis_bps, open_interest = column("funding"), column("basis_bps"), column("open_interest")
bid_depth, ask_depth, spread_bps = column("bid_depth"), column("ask_depth"), column("spread_bps")

returns: Node = log_return(close)
typical_price: Node = (high + low + close) / 3
turnover: Node = volume * close
"""What was traded, in quote currency."""
signed_volume: Node = sign(close - open_) * volume
"""Volume of a bar, positive if it rose."""
true_range: Node = greater(high, lag(close, 1)) - lesser(low, lag(close, 1))
"""Range of a bar, the gap since the last close included."""
absolute_return: Node = absolute(returns)
