"""What the local stack takes from the environment, and what it keeps from its children."""

import os
from collections.abc import Mapping

__all__ = ["clean_environment"]

_OURS = ("QUANTBUS_", "EXT_SIG_", "FREQTRADE__")


def clean_environment(given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return an environment for children without settings of another stack, whose bus they must never touch."""
    names = os.environ if given is None else given
    kept = {name: value for name, value in names.items() if not name.startswith(_OURS)}
    return kept | {"PYTHONUNBUFFERED": "1", "NO_COLOR": "1"}
