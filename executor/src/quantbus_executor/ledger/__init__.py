"""What became of each signal: rows, their outbox to the bus, and their agreement with Freqtrade's trades."""
