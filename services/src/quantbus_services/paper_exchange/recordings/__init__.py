"""Recorded bars, from files or from a bus, moved in time as a whole."""
