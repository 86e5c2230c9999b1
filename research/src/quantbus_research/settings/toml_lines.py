"""Finds the line on which a key of a TOML document stands, so that an error can point at it.

Works on text that `tomllib` has already accepted; it looks for keys and skips values, it does not parse them.
"""

import re

__all__ = ["line_of", "lines_of_keys"]

Path = tuple[str, ...]
_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]\]?\s*(?:#.*)?$")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=(.*)$", re.DOTALL)
_TRIPLE = ('"""', "'''")


def lines_of_keys(text: str) -> dict[Path, tuple[int, int]]:
    """Return for every table and key the first and last line (from 1) of its header or value."""
    found: dict[Path, tuple[int, int]] = {}
    table: Path = ()
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        first = number
        header, assignment = _HEADER.match(lines[number]), _ASSIGNMENT.match(lines[number])
        if header:
            table = _split(header[1])
            found.setdefault(table, (first + 1, first + 1))
        elif assignment:
            number = _end_of_value(lines, number, assignment[2])
            path = (*table, *_split(assignment[1]))
            found[path] = (first + 1, number + 1)
        number += 1
    return found


def line_of(text: str, path: Path, value: object = None) -> int | None:
    """Return the line of the key at ``path``, or of its nearest parent that stands in the text.

    With ``value``, a string inside a list of several lines, the line on which that string stands.
    """
    places = lines_of_keys(text)
    while path and path not in places:
        path = path[:-1]
    if not path:
        return None
    first, last = places[path]
    if isinstance(value, str):
        for number, line in enumerate(text.splitlines()[first - 1 : last], start=first):
            if f'"{value}"' in line or f"'{value}'" in line:
                return number
    return first


def _split(dotted: str) -> Path:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))


def _end_of_value(lines: list[str], number: int, value: str) -> int:
    opening = next((mark for mark in _TRIPLE if value.strip().startswith(mark)), None)
    if opening:
        rest = value.strip()[3:]
        while opening not in rest and number + 1 < len(lines):
            number += 1
            rest = lines[number]
        return number
    depth = _depth(value)
    while depth > 0 and number + 1 < len(lines):
        number += 1
        depth += _depth(lines[number])
    return number


def _depth(line: str) -> int:
    bare = re.sub(r"""("(?:[^"\\]|\\.)*"|'[^']*')|#.*""", "", line)
    return bare.count("[") + bare.count("{") - bare.count("]") - bare.count("}")
