"""The market database: which markets there are and were, and which of them were worth looking at."""

from quantbus_contracts.collections._fields import IDENTIFIER, PAIR, SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec, Index, Party
from quantbus_contracts.schema import MARKET_STATUSES
from quantbus_contracts.validators import closed, moment, number, one_of, text

__all__ = ["INSTRUMENTS"]

_VENUE = text(r"^[A-Z0-9_]{1,32}$")
_STEP = number(0, 1e15, above=True)
_BOUND = number(0, 1e18)
_READERS: tuple[Party, ...] = ("research", "gateway", "monitor", "operator")

_INSTRUMENTS = CollectionSpec(
    name="crypto_instruments",
    database="market",
    purpose="the markets of the venues, with their rules; a delisted one stays",
    key=("symbol",),
    written_by=("ingestion",),
    read_by=_READERS,
    validator=closed(
        {
            "symbol": SYMBOL,
            "pair": PAIR,
            "venue": _VENUE,
            "market_type": one_of("spot", "swap", "future"),
            "base": text(at_most=32),
            "quote": text(at_most=32),
        },
        {
            "settle": text(at_most=32),
            "expiry": text(r"^\d{8}$"),
            "status": one_of(*MARKET_STATUSES),
            "venue_symbol": text(at_most=128),
            "tick_size": _STEP,
            "lot_step": _STEP,
            "min_amount": _BOUND,
            "min_notional": _BOUND,
            "contract_size": _STEP,
            "listed_at": moment(),
            "delisted_at": moment(),
            "renamed_to": SYMBOL,
            "renamed_from": SYMBOL,
        },
    ),
    further_indexes=(Index((("venue", 1), ("pair", 1))),),
)

_CHANGES = CollectionSpec(
    name="crypto_instrument_changes",
    database="market",
    purpose="what changed in a venue's market list, and when it was noticed",
    key=("symbol", "at", "field"),
    written_by=("ingestion",),
    read_by=("ingestion", *_READERS),
    append_only=True,
    validator=closed(
        {"symbol": SYMBOL, "venue": _VENUE, "at": moment(), "field": text(at_most=32)},
        {"old": {"bsonType": "string"}, "new": {"bsonType": "string"}},
    ),
    further_indexes=(Index((("venue", 1), ("at", -1))),),
)

_UNIVERSE = CollectionSpec(
    name="crypto_universe",
    database="market",
    purpose="a dated list of symbols",
    key=("name", "as_of"),
    written_by=("ingestion",),
    read_by=_READERS,
    validator=closed(
        {
            "name": IDENTIFIER,
            "as_of": moment(),
            "method": one_of("tickers", "bars", "file"),
            "members": {
                "bsonType": "array",
                "minItems": 1,
                "maxItems": 5_000,
                "items": {
                    "bsonType": "object",
                    "required": ["symbol"],
                    "properties": {"symbol": SYMBOL, "quote_volume": _BOUND},
                    "additionalProperties": False,
                },
            },
            "built_at": moment(),
        },
        {
            "venue": _VENUE,
            "quote": text(at_most=32),
            "window_days": number(0, 3650, above=True),
            "note": text(at_most=1_000),
        },
    ),
)

INSTRUMENTS: tuple[CollectionSpec, ...] = (_INSTRUMENTS, _CHANGES, _UNIVERSE)
