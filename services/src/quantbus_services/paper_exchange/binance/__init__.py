"""Binance's own forms: REST routes and answers, and kline streams."""
