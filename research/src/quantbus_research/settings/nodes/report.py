"""The kind ``report``: files for people and for machines."""

from typing import ClassVar, Literal

from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings, Port

__all__ = ["ReportSettings"]


class ReportSettings(NodeSettings):
    """What came of a backtest, as a page with pictures and as JSON."""

    takes: ClassVar[tuple[Port, ...]] = (
        Port(ArtefactType.BACKTEST),
        Port(ArtefactType.VERDICTS, least=0),
    )
    makes: ClassVar[ArtefactType] = ArtefactType.FILES

    kind: Literal["report"] = "report"
    title: str | None = None
