"""What a fault of the catalogue is: its name, what the venue does, what clients must do, and how it is done."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.faults.exchange import Answered, Ask, Asked
from quantbus_services.paper_exchange.faults.rules import Rule
from quantbus_services.paper_exchange.listings.events import EventKind

__all__ = ["Behave", "FaultSpec", "Layer", "Occasion", "Parameter", "rule_of", "values_of"]

Layer = Literal["transport", "answer", "orders", "market list", "candles", "clock"]
"""From the wire inwards: the order in which faults that meet in one request lie around it."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """A number that a fault can be given; refused outside of its bounds."""

    default: float
    meaning: str
    least: float = 0.0
    most: float = 1e9


@dataclass(frozen=True, slots=True)
class Occasion:
    """A fault meets a request: what was asked, what was set, and the exchange's time."""

    asked: Asked
    rule: Rule
    parameters: Mapping[str, float]
    now_ms: int
    set_ms: int


Behave = Callable[[Occasion, Ask], Awaitable[Answered]]
"""Answers in place of the exchange, or around it; gives what it got from ``ask`` back if it did nothing."""


@dataclass(frozen=True, slots=True)
class FaultSpec:
    """One fault.

    Attributes
    ----------
    venue, client
        What the exchange does, and what ingestion (for orders: the bot) makes of it. Sentences of the page.
    test
        ``file::function`` of the test that proves the latter.
    paths
        Patterns of the requests it concerns unless the rule names a path.
    by_item
        ``share`` and ``every`` choose bars or fills instead of requests, the same ones in every answer.
    event
        What happens to the market list when it is set; such a fault is an event, and is not undone.
    """

    name: str
    layer: Layer
    venue: str
    client: str
    test: str
    behave: Behave | None
    paths: tuple[str, ...] = ("*",)
    parameters: Mapping[str, Parameter] = field(default_factory=lambda: MappingProxyType({}))
    by_item: bool = False
    event: EventKind | None = None

    def valued(self, rule: Rule) -> dict[str, float]:
        """Return every parameter with the value that counts under ``rule``."""
        return {name: rule.parameters.get(name, item.default) for name, item in self.parameters.items()}


_COMMON: Mapping[str, tuple[str, Callable[[str], object]]] = MappingProxyType(
    {
        "seed": ("seed", int),
        "share": ("share", float),
        "every": ("every", int),
        "skip": ("skip", int),
        "times": ("times", int),
        "from": ("start_seconds", float),
        "until": ("end_seconds", float),
        "path": ("path", str),
        "symbol": ("symbol", str),
        "to": ("to", str),
    }
)


def rule_of(spec: FaultSpec, values: Mapping[str, object]) -> Rule:
    """Read what switches a fault on: the common settings and its own parameters, by name.

    Raises
    ------
    ConfigError
        If a name or value is not what can be set; what can be is listed.
    """
    common: dict[str, object] = {}
    parameters: dict[str, float] = {}
    for name, value in values.items():
        try:
            if name in _COMMON:
                field_name, read = _COMMON[name]
                common[field_name] = read(str(value))
            elif name in spec.parameters:
                parameters[name] = _within(spec, name, float(str(value)))
            else:
                can = ", ".join((*spec.parameters, *_COMMON))
                raise ConfigError(f"fault {spec.name} can be given {can}; found {name!r}")
        except ValueError:
            raise ConfigError(f"fault {spec.name}: expected a number for {name}, found {value!r}") from None
    return Rule(spec.name, parameters=MappingProxyType(parameters), **common)  # type: ignore[arg-type]  # read above


def _within(spec: FaultSpec, name: str, value: float) -> float:
    item = spec.parameters[name]
    if not item.least <= value <= item.most:
        raise ConfigError(
            f"fault {spec.name}: expected {name} between {item.least:g} and {item.most:g}, found {value:g}"
        )
    return value


def values_of(settings: Iterable[str]) -> dict[str, str]:
    """Read ``share=0.1 seed=7`` as names and values.

    Raises
    ------
    ConfigError
        If a part has another form, or a name comes twice.
    """
    values: dict[str, str] = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals or not name or not value or name in values:
            raise ConfigError(f"expected settings such as share=0.1, each once, found {setting!r}")
        values[name] = value
    return values
