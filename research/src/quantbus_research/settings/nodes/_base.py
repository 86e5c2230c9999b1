"""What every node of a recipe says of itself: its kind, where its inputs come from, what it takes and makes."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, ClassVar

from pydantic import StringConstraints

from quantbus_research.settings.group import Group

__all__ = ["ArtefactType", "NodeName", "NodeSettings", "Port"]

NodeName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,63}$")]


class ArtefactType(StrEnum):
    """What flows from one node to another."""

    BARS = "bars"
    """Bars of the recipe's pairs, closed when the run began."""
    FACTORS = "factors"
    """One column a factor, on the index of the bars."""
    LABEL = "label"
    """What came later, and when it was known."""
    SCORES = "scores"
    """What somebody who did not know the future thought of each pair at each bar, -1 to 1."""
    TARGETS = "targets"
    """What is to be held of each pair after each bar."""
    BACKTEST = "backtest"
    """What following the targets would have come to."""
    VERDICTS = "verdicts"
    """Whether it may be published, with the numbers."""
    SIGNALS = "signals"
    """What was published, or would have been."""
    FILES = "files"
    """Reports and exports."""


@dataclass(frozen=True, slots=True)
class Port:
    """Inputs of one type: how many there have to be, and how many there may be."""

    type: ArtefactType
    least: int = 1
    most: int = 1

    def __str__(self) -> str:
        if (self.least, self.most) == (0, 1):
            return f"{self.type} (optional)"
        return f"{self.type}" if self.most == 1 else f"{self.type} ({self.least} to {self.most})"


class NodeSettings(Group):
    """Base of all kinds; each gives ``kind`` a literal type and a default of the same name.

    Attributes
    ----------
    takes
        Its inputs; which input is which is told by their types, so that their order says nothing unless there are
        several of one type.
    makes
        What comes out.
    beside
        Names of settings that change how a result comes about and not what it is, such as a number of threads.
    once
        Whether a recipe may have only one of it.
    """

    takes: ClassVar[tuple[Port, ...]] = ()
    makes: ClassVar[ArtefactType]
    beside: ClassVar[frozenset[str]] = frozenset()
    once: ClassVar[bool] = False

    kind: str
    inputs: tuple[NodeName, ...] = ()

    def meaning(self) -> dict[str, object]:
        """Return the settings that decide what comes out, defaults included; not where the inputs come from."""
        return self.model_dump(mode="json", exclude={"inputs", *self.beside})
