"""A venue's market list as ccxt keeps it -> listings; pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.schema import Listing, MarketStatus
from quantbus_contracts.symbols import Instrument

__all__ = ["read_listings"]

_STATUS_FIELDS = ("status", "contractStatus", "state", "trade_status")
_STATUSES: dict[str, MarketStatus] = {
    **dict.fromkeys(("trading", "live", "online", "enabled", "normal", "open", "tradable"), "trading"),
    **dict.fromkeys(("pending_trading", "prelaunch", "pre_trading", "preopen", "prelisting"), "pending"),
    **dict.fromkeys(("break", "halt", "end_of_day", "auction_match", "suspend", "cancel_only"), "halted"),
    **dict.fromkeys(
        ("post_only", "limit_only", "reduce_only", "pre_settle", "settling", "pre_delivering"), "halted"
    ),
    **dict.fromkeys(("delivering", "maintenance"), "halted"),
    **dict.fromkeys(
        ("close", "closed", "settled", "delivered", "delisted", "expired", "offline"), "delisted"
    ),
}
"""What venues call it, lower case. Binance's BREAK is a pause that may last for ever."""
_END_FIELDS = ("deliveryDate", "deliveryTime", "expTime")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NEVER = datetime(2100, 1, 1, tzinfo=UTC)  # Binance delivers perpetual contracts in 2100


def read_listings(
    markets: Mapping[str, Mapping[str, Any]], venue: str, *, states_steps: bool = True
) -> list[Listing]:
    """Read every market of two currencies; options and indices are left out.

    ``states_steps`` tells that precisions are steps (0.01) rather than numbers of decimal places (2). What a
    market does not say, or says nonsense about, is None.
    """
    found: dict[str, Listing] = {}
    for market in markets.values():
        if market.get("type") not in ("spot", "swap", "future"):
            continue
        try:
            listing = _listing(market, venue, states_steps)
        except (UnknownInstrument, ValidationError):
            continue
        found[listing.symbol] = listing
    return list(found.values())


def _listing(market: Mapping[str, Any], venue: str, states_steps: bool) -> Listing:
    instrument = Instrument.from_pair(venue, str(market["symbol"]))
    precision, limits = market.get("precision") or {}, market.get("limits") or {}
    is_contract = instrument.market_type != "spot"
    return Listing(
        instrument=instrument,
        status=_status(market),
        venue_symbol=str(market.get("id") or instrument.pair),
        tick_size=_step(precision.get("price"), states_steps),
        lot_step=_step(precision.get("amount"), states_steps),
        min_amount=_bound((limits.get("amount") or {}).get("min")),
        min_notional=_bound((limits.get("cost") or {}).get("min")),
        contract_size=_positive(market.get("contractSize")) if is_contract else None,
        listed_at=_moment(market.get("created")),
        delisted_at=_end(market) if is_contract else None,
    )


def _status(market: Mapping[str, Any]) -> MarketStatus:
    info = market.get("info")
    for name in _STATUS_FIELDS if isinstance(info, Mapping) else ():
        word = info.get(name) if isinstance(info, Mapping) else None
        if isinstance(word, str) and word.lower() in _STATUSES:
            return _STATUSES[word.lower()]
    return "halted" if market.get("active") is False else "trading"


def _end(market: Mapping[str, Any]) -> datetime | None:
    if market.get("expiry"):
        return _moment(market["expiry"])
    info = market.get("info")
    if not isinstance(info, Mapping):
        return None
    moments = (_moment(info.get(name)) for name in _END_FIELDS)
    return next((moment for moment in moments if moment is not None), None)


def _step(value: object, states_steps: bool) -> float | None:
    number = _positive(value) if states_steps else _bound(value)
    return number if number is None or states_steps else 10.0**-number


def _positive(value: object) -> float | None:
    number = _bound(value)
    return number or None


def _bound(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1e15:
        return None
    return float(value)


def _moment(value: object) -> datetime | None:
    try:
        milliseconds = int(str(value))
    except ValueError:
        return None
    if milliseconds <= 0 or milliseconds > _NEVER.timestamp() * 1000:
        return None
    return _EPOCH + timedelta(milliseconds=milliseconds)
