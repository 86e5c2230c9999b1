"""Candle files of every known form, read into plain columns."""

from quantbus_services.ingestion.files.bars import FileBars
from quantbus_services.ingestion.files.forms import SUFFIXES, read_bars, require_known_form

__all__ = ["SUFFIXES", "FileBars", "read_bars", "require_known_form"]
