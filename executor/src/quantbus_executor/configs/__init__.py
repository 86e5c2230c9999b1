"""Freqtrade's configuration files: built, read and written."""
