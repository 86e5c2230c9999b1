"""An exchange on 127.0.0.1 that replays recorded candles, or makes up clearly marked ones.

Unmodified ccxt and Freqtrade talk to it as if it were Binance spot and USD-M futures.
"""

from typing import TYPE_CHECKING

from quantbus_services.paper_exchange.binance.urls import ccxt_config, ccxt_urls

if TYPE_CHECKING:
    from quantbus_services.paper_exchange.exchange import PaperExchange

__all__ = ["PaperExchange", "ccxt_config", "ccxt_urls"]


def __getattr__(name: str) -> object:
    """Import the exchange itself only when it is asked for: the command line shall be quick to answer."""
    if name == "PaperExchange":
        from quantbus_services.paper_exchange.exchange import PaperExchange

        return PaperExchange
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
