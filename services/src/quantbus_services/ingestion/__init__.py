"""Ingestion: closed candles from exchanges and files onto the bus."""
