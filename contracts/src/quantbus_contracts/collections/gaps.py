"""The market database: what is missing in the series, and where two sources contradict each other."""

from quantbus_contracts.collections._fields import PRICE, SYMBOL
from quantbus_contracts.collections._spec import CollectionSpec, Index
from quantbus_contracts.schema import DisagreementKind, GapState
from quantbus_contracts.validators import closed, count, moment, number, one_of, text, timeframe_name

__all__ = ["GAPS"]

_VOLUME = number(0, 1e18)
_SOURCE = text(at_most=64)

_GAPS = CollectionSpec(
    name="crypto_gaps",
    database="market",
    purpose="a run of missing bars, and what became of it",
    key=("symbol", "timeframe", "start"),
    written_by=("ingestion",),
    read_by=("research", "gateway", "monitor", "operator"),
    validator=closed(
        {
            "symbol": SYMBOL,
            "timeframe": timeframe_name(),
            "start": moment(),
            "end": moment(),
            "state": one_of(*(state.value for state in GapState)),
            "attempts": count(),
            "confirmations": count(),
            "first_seen": moment(),
            "source": _SOURCE,
        },
        {"last_attempt": moment(), "last_confirmation": moment(), "note": text(at_most=200)},
        also={"$expr": {"$gt": ["$end", "$start"]}},
    ),
    further_indexes=(Index((("state", 1), ("symbol", 1), ("timeframe", 1), ("start", 1))),),
)

_DISAGREEMENTS = CollectionSpec(
    name="crypto_disagreements",
    database="market",
    purpose="a bar of which a second source said something else",
    key=("symbol", "timeframe", "open_time", "other_source"),
    written_by=("ingestion",),
    read_by=("research", "gateway", "monitor", "operator"),
    validator=closed(
        {
            "symbol": SYMBOL,
            "timeframe": timeframe_name(),
            "open_time": moment(),
            "kind": one_of(*(kind.value for kind in DisagreementKind)),
            "source": _SOURCE,
            "other_source": _SOURCE,
            "close": PRICE,
            "other_close": PRICE,
            "volume": _VOLUME,
            "other_volume": _VOLUME,
            "seen_at": moment(),
        }
    ),
)

GAPS: tuple[CollectionSpec, ...] = (_GAPS, _DISAGREEMENTS)
