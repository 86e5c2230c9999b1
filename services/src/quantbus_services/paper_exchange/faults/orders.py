"""Faults of orders: refused, lost on the way, reported twice or late."""

from dataclasses import replace
from types import MappingProxyType

from quantbus_services.paper_exchange.faults.exchange import Answered, Ask
from quantbus_services.paper_exchange.faults.spec import FaultSpec, Occasion, Parameter

__all__ = ["ORDERS"]

_FILE = "tests/integration/paper_exchange/test_order_faults.py"
_PATHS = ("*/order",)
_UNKNOWN = (
    "the order may stand: ask for it by its client order id before anything else, never repeat it blindly"
)
_WAIT = MappingProxyType({"seconds": Parameter(60.0, "how long the connection stays open", most=3600)})


async def _lost_before(event: Occasion, ask: Ask) -> Answered:
    if event.asked.method != "POST":
        return await ask()
    return Answered(200, b"", delay_seconds=event.parameters["seconds"], ending="dropped")


async def _lost_after(event: Occasion, ask: Ask) -> Answered:
    answer = await ask()
    if event.asked.method != "POST":
        return answer
    return replace(answer, delay_seconds=event.parameters["seconds"], ending="dropped")


ORDERS = (
    FaultSpec(
        "timeout_before_acceptance", "orders",
        "takes the order, never answers, and does not place it",
        f"{_UNKNOWN}; here it is found to be absent, and may be sent again",
        f"{_FILE}::test_an_order_lost_on_the_way_there_is_not_found",
        _lost_before, _PATHS, _WAIT,
    ),
    FaultSpec(
        "timeout_after_acceptance", "orders",
        "places the order and never answers",
        f"{_UNKNOWN}; here it is found, and adopted",
        f"{_FILE}::test_an_order_whose_answer_is_lost_is_found_by_its_client_order_id",
        _lost_after, _PATHS, _WAIT,
    ),
    FaultSpec(
        "accepted_but_503", "orders",
        "places the order and answers 503, code −1000",
        f"{_UNKNOWN}; here it is found, and adopted",
        f"{_FILE}::test_an_order_whose_answer_is_lost_is_found_by_its_client_order_id",
        None, _PATHS,
    ),
    FaultSpec(
        "accepted_but_504", "orders",
        "places the order and answers 504, code −1007: execution status unknown",
        f"{_UNKNOWN}; here it is found, and adopted",
        f"{_FILE}::test_an_order_whose_answer_is_lost_is_found_by_its_client_order_id",
        None, _PATHS,
    ),
    FaultSpec(
        "insufficient_balance", "orders",
        "refuses the order: the balance (margin) is insufficient",
        "a plain no: nothing was placed, nothing is reserved",
        f"{_FILE}::test_a_refused_order_leaves_the_account_as_it_was",
        None, _PATHS,
    ),
    FaultSpec(
        "order_rejected", "orders",
        "refuses the order by a filter (−1013)",
        "a plain no: nothing was placed, nothing is reserved",
        f"{_FILE}::test_a_refused_order_leaves_the_account_as_it_was",
        None, _PATHS,
    ),
    FaultSpec(
        "fill_reported_twice", "orders",
        "lists a fill twice, under the same trade id",
        "counts each trade id once",
        f"{_FILE}::test_a_fill_told_twice_has_one_trade_id",
        None, ("*/myTrades", "*/userTrades"), by_item=True,
    ),
    FaultSpec(
        "fill_reported_late", "orders",
        "leaves a fill out of the list of trades for a while",
        "takes the order's own filled amount for the truth and asks for its trades again",
        f"{_FILE}::test_a_fill_told_late_comes_in_the_end",
        None, ("*/myTrades", "*/userTrades"),
        MappingProxyType({"seconds": Parameter(10.0, "how long after it happened a fill is told", least=0.001)}),
        by_item=True,
    ),
)  # fmt: skip
