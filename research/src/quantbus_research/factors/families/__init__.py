"""Families of factor templates; a template is a module's attribute, and its module is its family."""

from types import ModuleType

from quantbus_research.factors._template import Template
from quantbus_research.factors.families import (
    alpha158,
    crosssection,
    derivatives,
    microstructure,
    momentum,
    seasonality,
    trend,
    volatility,
    volume,
)

__all__ = ["FAMILIES"]


def _templates_of(module: ModuleType) -> tuple[Template, ...]:
    return tuple(item for item in vars(module).values() if isinstance(item, Template))


FAMILIES: dict[str, tuple[Template, ...]] = {
    **{
        module.__name__.rpartition(".")[2]: _templates_of(module)
        for module in (
            trend,
            momentum,
            volatility,
            volume,
            microstructure,
            seasonality,
            crosssection,
            derivatives,
        )
    },
    "alpha158": alpha158.TEMPLATES,
}
"""Every template, by family."""
