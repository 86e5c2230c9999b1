"""How the id of a signal travels through Freqtrade: in the tag of every order it causes."""

import re

from quantbus_contracts.policy import Reason

__all__ = [
    "FORCED_ENTRY",
    "entry_tag",
    "exit_tag",
    "reason_of_exit_tag",
    "resize_tag",
    "signal_of_entry_tag",
    "signal_of_exit_tag",
    "signal_of_resize_tag",
    "version_of_resize_tag",
]

FORCED_ENTRY = "force_entry"
"""Freqtrade's tag for an entry that a person asked for through its API without naming one."""

_ID = re.compile(r"[0-9a-f]{32}")
_EXIT = re.compile(r"([a-z_]+):([0-9a-f]{32})")
_RESIZE = re.compile(r"resize:([0-9a-f]{32}):([0-9]{1,9})")


def entry_tag(signal_id: str) -> str:
    """Return the ``enter_tag`` of an entry: the id itself, so that a trade is found by it."""
    return signal_id


def exit_tag(signal_id: str, reason: Reason | None) -> str:
    """Return the exit reason of an exit: why and by which signal, ``exit_signal:3f2a…``."""
    return f"{reason or Reason.EXIT_SIGNAL}:{signal_id}"


def signal_of_entry_tag(tag: str | None) -> str | None:
    """Return the id of the signal that an ``enter_tag`` names; None if it names none."""
    return tag if tag is not None and _ID.fullmatch(tag) else None


def signal_of_exit_tag(tag: str | None) -> str | None:
    """Return the id of the signal that an exit reason names; None if it names none."""
    found = _EXIT.fullmatch(tag) if tag is not None else None
    return found[2] if found else None


def reason_of_exit_tag(tag: str | None) -> str | None:
    """Return why a signal's exit was ordered; None if no signal ordered it."""
    found = _EXIT.fullmatch(tag) if tag is not None else None
    return found[1] if found else None


def resize_tag(signal_id: str, version: int) -> str:
    """Return the tag of an order that brings a position to a signal's weight, ``resize:3f2a…:1``.

    The revision is part of it: each may increase a position once, and Freqtrade's own orders say whether it did.
    """
    return f"resize:{signal_id}:{version}"


def signal_of_resize_tag(tag: str | None) -> str | None:
    """Return the id of the signal that a resizing order was placed for; None if it is another kind of order."""
    found = _RESIZE.fullmatch(tag) if tag is not None else None
    return found[1] if found else None


def version_of_resize_tag(tag: str | None) -> int | None:
    """Return the revision that a resizing order was placed for; None if it is another kind of order."""
    found = _RESIZE.fullmatch(tag) if tag is not None else None
    return int(found[2]) if found else None
