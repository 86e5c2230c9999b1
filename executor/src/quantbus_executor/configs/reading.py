"""Reads a Freqtrade config as Freqtrade does: comments, several files, files named by files, the environment."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from quantbus_contracts.errors import ConfigError

__all__ = ["merged_config", "read_config", "variables_as_config"]

_STRING = r'"(?:\\.|[^"\\])*"'
_COMMENT = re.compile(rf"{_STRING}|//[^\n]*|/\*.*?\*/", re.DOTALL)
_TRAILING_COMMA = re.compile(rf"{_STRING}|,(?=\s*[}}\]])")
_PREFIX = "FREQTRADE__"
_DEEPEST = 5  # Freqtrade's own bound on files that name files
_ALWAYS_TEXT = {"CHAT_ID", "PASSWORD"}
_CCXT = {"ccxt_config", "ccxt_sync_config", "ccxt_async_config"}


def read_config(path: Path) -> dict[str, Any]:
    """Return the config in ``path``; comments and trailing commas are allowed, as Freqtrade allows them.

    Raises
    ------
    ConfigError
        If the file is missing or holds no JSON object.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        told = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ConfigError(f"expected a Freqtrade config in {path}, found none: {told}") from None
    try:
        plain = _TRAILING_COMMA.sub(_only_strings, _COMMENT.sub(_only_strings, text))
        config = json.loads(plain, parse_constant=_no_number)
    except ValueError as error:
        raise ConfigError(f"expected JSON in {path}, found something else: {error}") from None
    if not isinstance(config, dict):
        raise ConfigError(f"expected a JSON object in {path}, found {type(config).__name__}")
    return config


def merged_config(paths: Sequence[Path], environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what Freqtrade makes of ``--config`` given once for each path: later files win, the environment always.

    Raises
    ------
    ConfigError
        If a file is missing or no config, or files name each other in a circle.
    """
    return _merged(_of_files(paths, None, 0), variables_as_config(environment))


def variables_as_config(environment: Mapping[str, str]) -> dict[str, Any]:
    """Return ``FREQTRADE__EXCHANGE__KEY`` and its like as the blocks of a config."""
    config: dict[str, Any] = {}
    for name in sorted(environment):
        if not name.startswith(_PREFIX):
            continue
        parts = name.removeprefix(_PREFIX).split("__")
        lowered = [part.lower() for part in parts]
        if lowered[0] == "exchange" and _CCXT & set(lowered):
            lowered[-1] = parts[-1]  # ccxt's keys know upper and lower case
        raw = environment[name]
        value = raw if parts[-1] in _ALWAYS_TEXT else _typed(raw)
        block: Any = value
        for part in reversed(lowered):
            block = {part: block}
        config = _merged(config, block)
    return config


def _of_files(paths: Sequence[Path], beside: Path | None, depth: int) -> dict[str, Any]:
    if depth > _DEEPEST:
        raise ConfigError(
            f"expected add_config_files to end, found a circle through {', '.join(map(str, paths))}"
        )
    config: dict[str, Any] = {}
    for path in paths:
        file = beside / path if beside else path
        own = read_config(file)
        named = own.pop("add_config_files", None)
        if named:
            further = _of_files([Path(name) for name in named], file.resolve().parent, depth + 1)
            own = _merged(further, own)
        config = _merged(config, own)
    return config


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        below = merged.get(key)
        merged[key] = _merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return merged


def _typed(text: str) -> object:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    if text.lower() in ("t", "true", "f", "false"):
        return text.lower() in ("t", "true")
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, list) else text


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _only_strings(found: re.Match[str]) -> str:
    return found[0] if found[0].startswith('"') else " "
