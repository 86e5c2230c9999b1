"""Names with commas, as options take them."""

from quantbus_contracts.errors import ConfigError

__all__ = ["split_names"]


def split_names(text: str, option: str) -> list[str]:
    """Return the names in ``text``.

    Raises
    ------
    ConfigError
        If there is none.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ConfigError(f"{option}: expected names with commas, found {text!r}")
    return names
