"""How the id of a signal travels through Freqtrade: in the tag of every order it causes."""

import re

from quantbus_contracts.policy import Reason

__all__ = [
    "FORCED_ENTRY",
    "entry_tag",
    "exit_tag",
    "reason_of_exit_tag",
    "signal_of_entry_tag",
    "signal_of_exit_tag",
]

FORCED_ENTRY = "force_entry"
"""Freqtrade's tag for an entry that a person asked for through its API without naming one."""

_ID = re.compile(r"[0-9a-f]{32}")
_EXIT = re.compile(r"([a-z_]+):([0-9a-f]{32})")


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
