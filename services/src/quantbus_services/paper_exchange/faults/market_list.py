"""Faults of the market list: each is an event that a venue announces, or does not."""

from types import MappingProxyType

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.faults.rules import Rule
from quantbus_services.paper_exchange.faults.spec import FaultSpec, Parameter
from quantbus_services.paper_exchange.listings.events import EventKind, MarketEvent

__all__ = ["MARKET_LIST", "market_event"]

_FILE = "tests/integration/ingestion/test_fault_listings.py"

MARKET_LIST = (
    FaultSpec(
        "new_listing", "market list",
        "a market appears that was not there before",
        "names the market only once it is listed; its history begins with its first bar, earlier bars are absent",
        f"{_FILE}::test_a_new_listing_is_found_and_begins_with_its_first_bar",
        None, event="list",
    ),
    FaultSpec(
        "delisting", "market list",
        "trading ends: the market is halted, there are no further bars, orders are refused; what is held on spot "
        "stays, a position in a perpetual is settled at its last price without being asked",
        "keeps what it has, invents no bar after the end, and goes on with the other markets; "
        "a bot must take what the account says for what it holds",
        f"{_FILE}::test_a_delisted_market_ends_and_the_others_go_on",
        None, event="delist",
    ),
    FaultSpec(
        "removal", "market list",
        "a market vanishes from the list; requests for it get −1121",
        "counts `bad_symbol` for this market alone and goes on with the others",
        f"{_FILE}::test_a_removed_market_fails_alone",
        None, event="remove",
    ),
    FaultSpec(
        "rename", "market list",
        "a market goes on under another name; the old one gets −1121",
        "refuses the old name at its next start and lists the near ones; the new name brings the whole series",
        f"{_FILE}::test_a_renamed_market_is_refused_by_its_old_name_and_whole_by_its_new_one",
        None, event="rename",
    ),
    FaultSpec(
        "tick_size_change", "market list",
        "prices get other steps from the next bar on",
        "stores the bars as they are: no price is rounded by us",
        f"{_FILE}::test_a_change_of_price_steps_changes_no_stored_bar",
        None, parameters=MappingProxyType({"decimals": Parameter(1.0, "decimals of a price", most=8)}),
        event="tick",
    ),
)  # fmt: skip


def market_event(kind: EventKind, spec: FaultSpec, rule: Rule, now_ms: int) -> MarketEvent:
    """Return what a fault of the market list makes happen: ``from`` seconds after now, to market ``symbol``.

    Raises
    ------
    ConfigError
        If the market is not named as a pair (``BTC/USDT``), or a new name is missing.
    """
    if not rule.symbol:
        raise ConfigError(
            f"fault {spec.name}: expected the pair it happens to, such as symbol=BTC/USDT, found none"
        )
    return MarketEvent(
        kind=kind,
        pair=rule.symbol,
        at_ms=now_ms + int(rule.start_seconds * 1000),
        to=rule.to or None,
        price_decimals=int(spec.valued(rule)["decimals"]) if kind == "tick" else None,
    )
