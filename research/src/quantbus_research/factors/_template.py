"""What a factor is: one formula with its parameters; and what it is made from, the formula with parameters open."""

import hashlib
import inspect
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors.expressions import Node

__all__ = ["Domain", "Factor", "Template", "template"]

_HASH_LENGTH = 16


@dataclass(frozen=True)
class Factor:
    """One number a bar, computed from this bar and those before it.

    Attributes
    ----------
    name
        Column name, parameters included: ``rsi_14``.
    family
        Trend, momentum, …
    unit
        What one unit of it means.
    parameters
        By name.
    expression
        What is computed; formula, inputs and look-back are read from it.
    """

    name: str
    family: str
    unit: str
    parameters: Mapping[str, int]
    expression: Node

    @property
    def formula(self) -> str:
        """What it computes, in full."""
        return self.expression.formula

    @property
    def inputs(self) -> tuple[str, ...]:
        """The columns it reads; ``datetime`` is the open time."""
        return self.expression.inputs

    @property
    def lookback_bars(self) -> int:
        """How many bars it needs, its own included: the first ``lookback_bars - 1`` values are NaN."""
        return self.expression.lookback_bars

    @property
    def is_across(self) -> bool:
        """Whether it compares symbols, so that it depends on which others the panel holds."""
        return self.expression.is_across

    @cached_property
    def signature(self) -> str:
        """Hash of everything that gives the number its meaning: formula, parameters, window; a model remembers it."""
        meaning = [self.formula, dict(sorted(self.parameters.items())), self.lookback_bars]
        return hashlib.sha256(json.dumps(meaning, separators=(",", ":")).encode()).hexdigest()[:_HASH_LENGTH]


@dataclass(frozen=True, slots=True)
class Domain:
    """The whole numbers that a parameter may be, both ends included."""

    lowest: int
    highest: int

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int) and self.lowest <= value <= self.highest

    def __str__(self) -> str:
        return f"{self.lowest} to {self.highest}"

    def as_schema(self) -> dict[str, object]:
        """Return it in JSON Schema."""
        return {"type": "integer", "minimum": self.lowest, "maximum": self.highest}


@dataclass(frozen=True)
class Template:
    """A formula whose parameters are still open.

    Attributes
    ----------
    name
        First part of its factors' names.
    unit
        What one unit of them means.
    description
        One line.
    parameters
        Their names, in the order in which they stand in a factor's name.
    build
        Makes the expression from the parameters.
    joint
        What stands between name and parameters.
    """

    name: str
    unit: str
    description: str
    parameters: tuple[str, ...]
    build: Callable[..., Node]
    joint: str = "_"

    def name_of(self, values: tuple[int, ...]) -> str:
        """Return the name that a factor with these parameters has."""
        return self.joint.join([self.name, *map(str, values)])

    def factor(self, family: str, values: tuple[int, ...], domains: Mapping[str, Domain]) -> Factor:
        """Fill in the parameters.

        Raises
        ------
        ConfigError
            If there are too few or too many, one is outside its domain, or together they mean nothing.
        """
        if len(values) != len(self.parameters):
            raise ConfigError(f"expected {self.name} with ({', '.join(self.parameters)}), found {values!r}")
        given = dict(zip(self.parameters, values, strict=True))
        for name, value in given.items():
            if value not in domains[name]:
                raise ConfigError(f"expected {name} of {self.name} in {domains[name]}, found {value!r}")
        if "short" in given and "long" in given and given["short"] >= given["long"]:
            raise ConfigError(f"expected short below long in {self.name}, found {values!r}")
        return Factor(
            name=self.name_of(values),
            family=family,
            unit=self.unit,
            parameters=MappingProxyType(given),
            expression=self.build(**given),
        )


def template(unit: str, *, name: str | None = None) -> Callable[[Callable[..., Node]], Template]:
    """Declare a function of whole-number parameters that returns an expression as a factor template."""

    def declare(build: Callable[..., Node]) -> Template:
        said = inspect.getdoc(build)
        if not said:
            raise TypeError(f"expected a docstring of {build.__name__}: it is the factor's description")
        return Template(
            name=name or build.__name__,
            unit=unit,
            description=said.splitlines()[0],
            parameters=tuple(inspect.signature(build).parameters),
            build=build,
        )

    return declare
