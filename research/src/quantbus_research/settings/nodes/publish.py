"""The kind ``publish``: when and how signals go out."""

from typing import Annotated, ClassVar, Literal

from pydantic import Field, StringConstraints

from quantbus_research.settings.group import Group
from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["PublishSettings", "ShadowSettings"]


class ShadowSettings(Group):
    """A second model that says what it would have said, under a strategy id of its own; nobody has to follow that."""

    stage: Literal["candidate", "staging", "production"] = "staging"
    """Whose model speaks there."""
    strategy_id: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] | None = None
    """By default the recipe's own with ``.shadow`` behind it."""


class PublishSettings(NodeSettings):
    """When and how signals go out."""

    takes: ClassVar[tuple[Port, ...]] = (
        Port(ArtefactType.TARGETS),
        Port(ArtefactType.VERDICTS, least=0),
    )
    makes: ClassVar[ArtefactType] = ArtefactType.SIGNALS
    once: ClassVar[bool] = True

    kind: Literal["publish"] = "publish"
    when_refused: Literal["nothing", "publish"] = "nothing"
    """What to do where the gates say no."""
    history_bars: Annotated[int, Field(ge=0, le=2_000_000)] = 0
    """What a run says about so many bars before the newest as well, as ``backfill``, which never trades."""
    valid_bars: Annotated[float, Field(gt=0, le=1_000)] = 2.0
    """An entry may be acted upon so many bars after its bar has closed."""
    max_wait_seconds: Annotated[float, Field(gt=0)] | None = None
    """How long to wait for the bars of all pairs after bar close; at most 40 % of a bar, by default a minute."""
    on_missing: Literal["publish_degraded", "nothing"] = "publish_degraded"
    """The bar of some pair has not come in that time: speak about the others and say so, or say nothing about any. An
    exit that is due by time goes out in any case."""
    on_late: Literal["publish_degraded", "exits", "nothing"] = "exits"
    """Half a bar has passed since the bar's close: say all of it and that it is late, say only what ends a position, or
    say nothing. Once the next bar has closed nothing is said about this one."""
    catch_up_bars: Annotated[int, Field(ge=0, le=10_000)] = 0
    """After downtime, evaluate so many missed bars as ``backfill``, which never trades; 0 skips them."""
    stage: Literal["candidate", "staging", "production"] = "candidate"
    """Whose model speaks: one trained as bars go by, or the one that `promote` has put on this stage."""
    shadow: ShadowSettings | None = None
    """Another model beside it, to be compared."""
