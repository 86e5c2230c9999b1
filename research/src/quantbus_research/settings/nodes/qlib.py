"""The kind ``qlib``: a model of Qlib's, by class path, walked forward."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from quantbus_research.settings.group import Bars
from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["QlibSettings"]


class QlibSettings(NodeSettings):
    """Learns what a deal at the next open earned, in the cross-section of each bar, and ranks the pairs by it."""

    takes: ClassVar[tuple[Port, ...]] = (Port(ArtefactType.FACTORS, most=8), Port(ArtefactType.LABEL))
    makes: ClassVar[ArtefactType] = ArtefactType.SCORES

    kind: Literal["qlib"] = "qlib"
    model: Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][\w.]*\.[A-Za-z_]\w*$")] = (
        "qlib.contrib.model.gbdt.LGBModel"
    )
    """The class, with its module."""
    arguments: Mapping[str, bool | int | float | str] = {}
    """What it is made with. LightGBM is held to one result for one input, whatever is said here."""
    seed: Annotated[int, Field(ge=0, le=2**31 - 1)] = 7
    """Of a LightGBM model; any other takes its own among the arguments."""
    train_bars: Bars
    """How many bars each stretch learns from."""
    valid_bars: Bars
    """How many bars after these say when to stop learning."""
    retrain_bars: Bars
    """How long a stretch is that one model speaks about; it begins where the bar's number since 1970 is a multiple."""
