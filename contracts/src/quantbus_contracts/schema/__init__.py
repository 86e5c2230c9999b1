"""The documents of the bus as frozen models."""

from quantbus_contracts.schema._base import Document
from quantbus_contracts.schema.account import Balance, Fill, FillPurpose, Holding, HoldingSide
from quantbus_contracts.schema.account_snapshot import (
    AccountBalance,
    AccountFill,
    AccountMarket,
    AccountOrder,
    AccountPart,
    AccountPosition,
    AccountSnapshot,
    UnknownPart,
)
from quantbus_contracts.schema.audit import AuditFinding, AuditReport, FindingKind
from quantbus_contracts.schema.bus_health import BusHealth, MemberHealth, MemberState
from quantbus_contracts.schema.candle import Candle, CandleKey, CandleRevision, CandleValues, ohlcv_fault
from quantbus_contracts.schema.control import Control, ControlKind
from quantbus_contracts.schema.execution import FINAL_STATES, Execution, ExecutionState
from quantbus_contracts.schema.finding import FindingEpisode, RecordedFinding, Sighting, finding_id
from quantbus_contracts.schema.gap import BROKEN_GAPS, Disagreement, DisagreementKind, Gap, GapState
from quantbus_contracts.schema.heartbeat import Heartbeat
from quantbus_contracts.schema.lease import Lease, LeaseBid
from quantbus_contracts.schema.listing import (
    MARKET_EVENTS,
    MARKET_STATUSES,
    RULE_FIELDS,
    Listing,
    MarketChange,
    MarketEvent,
    MarketStatus,
)
from quantbus_contracts.schema.observation import (
    DEPTH_LEVELS,
    OBSERVATIONS,
    DepthLevel,
    DepthLevelName,
    DepthSnapshot,
    FundingRate,
    MarkPrice,
    Observation,
    OpenInterest,
)
from quantbus_contracts.schema.report import CandleReport, PublishReport, Rejection
from quantbus_contracts.schema.risk_state import EVERY_PAIR, RiskLevel, RiskState
from quantbus_contracts.schema.signal import (
    CONTENT_FIELDS,
    Action,
    Origin,
    PublishedSignal,
    Revision,
    Signal,
    SignalKey,
    signal_id_of,
)
from quantbus_contracts.schema.strategy import Contradiction, Declaration, PublishRun, Strategy
from quantbus_contracts.schema.universe import Universe, UniverseMember, UniverseMethod

__all__ = [
    "BROKEN_GAPS",
    "CONTENT_FIELDS",
    "DEPTH_LEVELS",
    "EVERY_PAIR",
    "FINAL_STATES",
    "MARKET_EVENTS",
    "MARKET_STATUSES",
    "OBSERVATIONS",
    "RULE_FIELDS",
    "AccountBalance",
    "AccountFill",
    "AccountMarket",
    "AccountOrder",
    "AccountPart",
    "AccountPosition",
    "AccountSnapshot",
    "Action",
    "AuditFinding",
    "AuditReport",
    "Balance",
    "BusHealth",
    "Candle",
    "CandleKey",
    "CandleReport",
    "CandleRevision",
    "CandleValues",
    "Contradiction",
    "Control",
    "ControlKind",
    "Declaration",
    "DepthLevel",
    "DepthLevelName",
    "DepthSnapshot",
    "Disagreement",
    "DisagreementKind",
    "Document",
    "Execution",
    "ExecutionState",
    "Fill",
    "FillPurpose",
    "FindingEpisode",
    "FindingKind",
    "FundingRate",
    "Gap",
    "GapState",
    "Heartbeat",
    "Holding",
    "HoldingSide",
    "Lease",
    "LeaseBid",
    "Listing",
    "MarkPrice",
    "MarketChange",
    "MarketEvent",
    "MarketStatus",
    "MemberHealth",
    "MemberState",
    "Observation",
    "OpenInterest",
    "Origin",
    "PublishReport",
    "PublishRun",
    "PublishedSignal",
    "RecordedFinding",
    "Rejection",
    "Revision",
    "RiskLevel",
    "RiskState",
    "Sighting",
    "Signal",
    "SignalKey",
    "Strategy",
    "Universe",
    "UniverseMember",
    "UniverseMethod",
    "UnknownPart",
    "finding_id",
    "ohlcv_fault",
    "signal_id_of",
]
