"""Audits: what each factor says about the returns after it, at what cost, how steadily, and which to keep."""

from quantbus_research.audits._base import (
    Audit,
    AuditSettings,
    FactorFigures,
    HorizonFigures,
    Refusal,
    Screen,
    Stability,
)
from quantbus_research.audits.auditing import audit_factors, audit_values
from quantbus_research.audits.last_step import (
    Component,
    LastStep,
    Orthogonal,
    Selection,
    orthogonalised,
    select_last,
)
from quantbus_research.audits.screening import STEPS
from quantbus_research.audits.written import as_dict, factor_summary, remarks, summary_text

__all__ = [
    "STEPS",
    "Audit",
    "AuditSettings",
    "Component",
    "FactorFigures",
    "HorizonFigures",
    "LastStep",
    "Orthogonal",
    "Refusal",
    "Screen",
    "Selection",
    "Stability",
    "as_dict",
    "audit_factors",
    "audit_values",
    "factor_summary",
    "orthogonalised",
    "remarks",
    "select_last",
    "summary_text",
]
