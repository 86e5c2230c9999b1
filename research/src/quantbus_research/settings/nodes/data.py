"""The kind ``data``: the bars that all else is computed from."""

from pathlib import Path
from typing import ClassVar, Literal, Self

from pydantic import model_validator

from quantbus_research.settings.group import Bars
from quantbus_research.settings.nodes._base import ArtefactType, NodeSettings

__all__ = ["DataSettings"]


class DataSettings(NodeSettings):
    """How much history there is to learn from and to be judged on."""

    makes: ClassVar[ArtefactType] = ArtefactType.BARS

    kind: Literal["data"] = "data"
    source: Literal["bus", "files"] = "bus"
    """The bus, or files that Freqtrade has downloaded, for research without a bus."""
    folder: Path | None = None
    """Of the files: the folder of the exchange, as ``freqtrade download-data`` writes it."""
    train_bars: Bars
    """At most so many bars of each pair."""
    min_train_bars: Bars
    """With fewer bars of any pair there is no model, and an error says so."""

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_train_bars > self.train_bars:
            raise ValueError(
                f"min_train_bars: expected at most train_bars ({self.train_bars}), "
                f"found {self.min_train_bars}"
            )
        return self

    @model_validator(mode="after")
    def _somewhere(self) -> Self:
        if (self.source == "files") != (self.folder is not None):
            raise ValueError("folder: expected with source 'files', and only with it")
        return self
