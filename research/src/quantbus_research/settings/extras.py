"""Libraries that stand behind an extra: loaded where they are used, and named where they are missing."""

from importlib import import_module
from typing import Any

from quantbus_contracts.errors import ConfigError

__all__ = ["load"]


def load(module: str, *, extra: str, purpose: str) -> Any:  # noqa: ANN401 - a module of any library
    """Import ``module``, which the extra brings, for ``purpose`` (a noun phrase).

    Raises
    ------
    ConfigError
        If it is not installed, naming the extra.
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != module.partition(".")[0]:
            raise  # it is there, and lacks something itself
        raise ConfigError(
            f"{purpose} needs {module.partition('.')[0]}, which is not installed; "
            f"install quantbus-research[{extra}]"
        ) from None
