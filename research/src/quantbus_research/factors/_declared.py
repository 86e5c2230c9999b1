"""Reads ``recipes/factors.toml``: which factors there are, the domains of their parameters, and the named sets."""

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import Any

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors._template import Domain, Factor, Template
from quantbus_research.factors.families import FAMILIES
from quantbus_research.factors.normalisers import NORMALISERS, normalised

__all__ = ["Declaration", "declared", "read_declaration"]

_SOURCE = "recipes/factors.toml"
_USE = "use"


@dataclass(frozen=True, slots=True)
class Entry:
    """A template as it is declared."""

    template: Template
    family: str
    domains: Mapping[str, Domain]


@dataclass(frozen=True, slots=True)
class Declaration:
    """What the file says.

    Attributes
    ----------
    catalogue
        Every declared factor by name, in the order of the file.
    entries
        Every template by name, with its domains.
    normaliser_domains
        By the normaliser's name: the domain of its window, None if it has none.
    sets
        Names of factors, by the name of the set.
    """

    catalogue: Mapping[str, Factor]
    entries: Mapping[str, Entry]
    normaliser_domains: Mapping[str, Domain | None]
    sets: Mapping[str, tuple[str, ...]]

    def find(self, name: str) -> Factor | None:
        """Return the factor of that name: out of the catalogue, or any in the domains; None if there is none."""
        base, normaliser, rest = name.partition("__")
        if normaliser:
            factor = self.find(base)
            return None if factor is None else self._normalised(factor, rest)
        return self.catalogue.get(name) or self._in_domain(name)

    def _in_domain(self, name: str) -> Factor | None:
        digits = re.search(r"[\d_]*$", name)
        stem = name[: digits.start()] if digits else name
        entry = self.entries.get(stem)
        values = tuple(int(part) for part in name[len(stem) :].split("_") if part)
        if entry is None or not values or entry.template.name_of(values) != name:
            return None
        return entry.template.factor(entry.family, values, entry.domains)

    def _normalised(self, factor: Factor, name: str) -> Factor | None:
        stem, _, number = name.rpartition("_") if name[-1:].isdigit() else (name, "", "")
        if stem not in NORMALISERS:
            return None
        normaliser, domain = NORMALISERS[stem], self.normaliser_domains[stem]
        if domain is None:
            return None if number else normalised(factor, normaliser)
        window = int(number) if number else 0
        if window not in domain:
            raise ConfigError(f"expected the window of {stem} in {domain}, found {name!r}")
        return normalised(factor, normaliser, window)


@lru_cache(maxsize=1)
def declared() -> Declaration:
    """Return what the shipped file says; it is read once."""
    path = files("quantbus_research").joinpath(_SOURCE)
    return read_declaration(path.read_text(encoding="utf-8"))


def read_declaration(text: str) -> Declaration:
    """Validate the text of such a file against the templates in the code.

    Raises
    ------
    ConfigError
        If it is not TOML, names what is not there, leaves out what is, or leaves a parameter's domain.
    """
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{_SOURCE} is not TOML: {error}") from None
    _same(tree, ("factors", "normalisers", "sets"), "tables")
    _same(tree["factors"], FAMILIES, "families")
    entries: dict[str, Entry] = {}
    catalogue: dict[str, Factor] = {}
    for family, templates in FAMILIES.items():
        lines = tree["factors"][family]
        by_name = {template.name: template for template in templates}
        _same(lines, by_name, f"templates of {family}")
        for name, line in lines.items():
            entry, factors = _read(by_name[name], family, line)
            entries[name] = entry
            catalogue.update((factor.name, factor) for factor in factors)
    _same(tree["normalisers"], NORMALISERS, "normalisers")
    windows = {
        name: _domains(name, ("window",) if NORMALISERS[name].has_window else (), line).get("window")
        for name, line in tree["normalisers"].items()
    }
    plain = Declaration(MappingProxyType(catalogue), MappingProxyType(entries), MappingProxyType(windows), {})
    sets = {name: _members(name, members, plain) for name, members in tree["sets"].items()}
    return Declaration(plain.catalogue, plain.entries, plain.normaliser_domains, MappingProxyType(sets))


def _read(template: Template, family: str, line: Mapping[str, Any]) -> tuple[Entry, list[Factor]]:
    domains = _domains(template.name, template.parameters, line)
    if bool(template.parameters) != (_USE in line):
        raise ConfigError(
            f"{_SOURCE}: expected {_USE!r} in {template.name} where it has parameters, found {line!r}"
        )
    chosen = [tuple(item) if isinstance(item, list) else (item,) for item in line.get(_USE, [[]])]
    return Entry(template, family, domains), [template.factor(family, values, domains) for values in chosen]


def _domains(name: str, parameters: Sequence[str], line: Mapping[str, Any]) -> dict[str, Domain]:
    given = [key for key in line if key != _USE]
    if given != list(parameters):
        raise ConfigError(
            f"{_SOURCE}: expected the parameters {list(parameters)!r} of {name}, found {given!r}"
        )
    domains = {key: Domain(*line[key]) for key in given}
    for key, domain in domains.items():
        if not 1 <= domain.lowest <= domain.highest:
            raise ConfigError(
                f"{_SOURCE}: expected [lowest, highest] of {key} in {name}, found {line[key]!r}"
            )
    return domains


def _members(name: str, members: Sequence[str], plain: Declaration) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for member in members:
        if member.startswith("@"):
            family = [item.name for item in plain.catalogue.values() if item.family == member[1:]]
            if not family:
                raise ConfigError(f"{_SOURCE}: expected a family in the set {name}, found {member!r}")
            found.update(dict.fromkeys(family))
        elif plain.find(member) is None:
            raise ConfigError(f"{_SOURCE}: expected a factor in the set {name}, found {member!r}")
        else:
            found[member] = None
    return tuple(found)


def _same(found: Mapping[str, object], expected: Mapping[str, object] | Sequence[str], what: str) -> None:
    unknown = [name for name in found if name not in expected]
    missing = [name for name in expected if name not in found]
    if unknown or missing:
        raise ConfigError(
            f"{_SOURCE}: expected the {what} that the code has, "
            f"found no {', '.join(missing) or 'lack'}, and {', '.join(unknown) or 'nothing'} besides"
        )
