"""Gaps: found by index, kept in a ledger, asked for again, and told apart from what the venue never had."""

from quantbus_services.ingestion.gaps.keeper import GapKeeper
from quantbus_services.ingestion.gaps.ledger import reconcile
from quantbus_services.ingestion.gaps.repair import GapRepairer
from quantbus_services.ingestion.gaps.rules import GapRules
from quantbus_services.ingestion.gaps.watch import GapWatch

__all__ = ["GapKeeper", "GapRepairer", "GapRules", "GapWatch", "reconcile"]
