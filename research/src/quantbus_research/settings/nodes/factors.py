"""The kind ``factors``: numbers computed from bars, by name."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, ValidationInfo, field_validator

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["FactorSettings"]


class FactorSettings(NodeSettings):
    """What the model sees."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.BARS),)
    makes: ClassVar[ArtefactType] = ArtefactType.FACTORS

    kind: Literal["factors"] = "factors"
    names: Annotated[tuple[str, ...], Field(min_length=1)]
    """Factors, or sets of them; sets are replaced by what is in them."""

    @field_validator("names")
    @classmethod
    def _known(cls, names: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        told = info.context or {}
        known, sets = told.get("factors"), told.get("sets", {})
        if len(set(names)) < len(names):
            raise ValueError("expected each factor once")
        whole = tuple(dict.fromkeys(member for name in names for member in sets.get(name, (name,))))
        for name in whole:
            if known is not None and name not in known:
                raise ValueError(f"unknown factor {name!r}")
        return whole
