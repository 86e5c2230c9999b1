"""The kinds of nodes a recipe may have: what each can be told, takes and makes; `workflows.nodes` says what it does."""

from typing import Annotated

from pydantic import Field

from quantbus_research.settings.nodes._base import ArtefactType, NodeName, NodeSettings, Port
from quantbus_research.settings.nodes.backtest import BacktestSettings
from quantbus_research.settings.nodes.data import DataSettings
from quantbus_research.settings.nodes.factors import FactorSettings
from quantbus_research.settings.nodes.gates import GateSettings
from quantbus_research.settings.nodes.label import LabelSettings
from quantbus_research.settings.nodes.model import ModelSettings
from quantbus_research.settings.nodes.publish import PublishSettings, ShadowSettings
from quantbus_research.settings.nodes.qlib import QlibSettings
from quantbus_research.settings.nodes.report import ReportSettings
from quantbus_research.settings.nodes.rule import PolicySettings
from quantbus_research.settings.nodes.score import ScoreSettings, VoteSettings
from quantbus_research.settings.nodes.selection import SelectionSettings

__all__ = [
    "KINDS",
    "AnyNode",
    "ArtefactType",
    "BacktestSettings",
    "DataSettings",
    "FactorSettings",
    "GateSettings",
    "LabelSettings",
    "ModelSettings",
    "NodeName",
    "NodeSettings",
    "PolicySettings",
    "Port",
    "PublishSettings",
    "QlibSettings",
    "ReportSettings",
    "ScoreSettings",
    "SelectionSettings",
    "ShadowSettings",
    "VoteSettings",
]

AnyNode = Annotated[
    DataSettings
    | FactorSettings
    | LabelSettings
    | ModelSettings
    | QlibSettings
    | ScoreSettings
    | PolicySettings
    | SelectionSettings
    | BacktestSettings
    | GateSettings
    | PublishSettings
    | ReportSettings,
    Field(discriminator="kind"),
]
KINDS: dict[str, type[NodeSettings]] = {
    str(settings.model_fields["kind"].default): settings
    for settings in (
        DataSettings,
        FactorSettings,
        LabelSettings,
        ModelSettings,
        QlibSettings,
        ScoreSettings,
        PolicySettings,
        SelectionSettings,
        BacktestSettings,
        GateSettings,
        PublishSettings,
        ReportSettings,
    )
}
"""The settings of every kind, by its name."""
