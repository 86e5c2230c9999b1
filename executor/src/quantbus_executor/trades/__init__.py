"""Freqtrade's own trades, as the executor asks for them and writes into them."""
