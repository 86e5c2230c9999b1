"""An exchange on 127.0.0.1 that replays recorded candles, or makes up clearly marked ones.

Unmodified ccxt and Freqtrade talk to it as if it were Binance spot.
"""

from quantbus_services.paper_exchange.urls import ccxt_config, ccxt_urls

__all__ = ["ccxt_config", "ccxt_urls"]
