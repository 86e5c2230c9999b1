"""Faults of the connection: slow, silent, cut, reset."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from quantbus_services.paper_exchange.faults.exchange import Answered, Ask
from quantbus_services.paper_exchange.faults.spec import FaultSpec, Occasion, Parameter

__all__ = ["TRANSPORT"]

_INGESTION = "tests/integration/ingestion/test_faults.py::test_the_series_is_whole_after_the_fault"
_CUT: Mapping[str, Parameter] = MappingProxyType(
    {"part": Parameter(0.5, "how much of the body is sent", most=1.0)}
)


async def _slow(event: Occasion, ask: Ask) -> Answered:
    return replace(await ask(), delay_seconds=event.parameters["seconds"])


async def _silent(event: Occasion, ask: Ask) -> Answered:
    return Answered(200, b"", delay_seconds=event.parameters["seconds"], ending="dropped")


async def _dropped(event: Occasion, ask: Ask) -> Answered:
    return replace(await ask(), ending="dropped")


async def _reset(event: Occasion, ask: Ask) -> Answered:
    return replace(await ask(), ending="reset", share=event.parameters["part"])


async def _truncated(event: Occasion, ask: Ask) -> Answered:
    return replace(await ask(), ending="closed", share=event.parameters["part"])


TRANSPORT = (
    FaultSpec(
        "slow_answer",
        "transport",
        "answers correctly, but only after ten seconds",
        "gives up after its time-out, counts `timeout` and asks again with growing pauses",
        _INGESTION,
        _slow,
        parameters=MappingProxyType({"seconds": Parameter(10.0, "how long an answer takes", most=600)}),
    ),
    FaultSpec(
        "no_answer",
        "transport",
        "takes the request and never answers",
        "gives up after its time-out, counts `timeout` and asks again with growing pauses",
        _INGESTION,
        _silent,
        parameters=MappingProxyType(
            {"seconds": Parameter(60.0, "how long the connection stays open", most=3600)}
        ),
    ),
    FaultSpec(
        "connection_dropped",
        "transport",
        "resets the connection before the first byte of an answer",
        "counts `unavailable` and asks again",
        _INGESTION,
        _dropped,
    ),
    FaultSpec(
        "reset_mid_body",
        "transport",
        "sends a part of the body and resets the connection (RST)",
        "throws the part away, counts `network` and asks again",
        _INGESTION,
        _reset,
        parameters=_CUT,
    ),
    FaultSpec(
        "truncated_body",
        "transport",
        "sends a part of the body and closes the connection, short of the announced length",
        "throws the part away, counts `network` and asks again",
        _INGESTION,
        _truncated,
        parameters=_CUT,
    ),
)
