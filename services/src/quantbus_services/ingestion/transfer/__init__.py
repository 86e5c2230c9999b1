"""Files of candles onto the bus, and bars of the bus into files."""
