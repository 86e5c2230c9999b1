"""What stood about a venue's markets, and what its list says now -> what to store, and what changed; pure.

A market that is gone from the list is delisted, never forgotten. Two symbols are linked as one market renamed
only where that is certain: the venue keeps its own name for it, or a person said so.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.errors import ContractError, VenueUnavailable
from quantbus_contracts.schema import RULE_FIELDS, Listing, MarketChange

__all__ = ["PARTIAL_LIST", "Compared", "compare", "rename"]

PARTIAL_LIST = "partial_list"
"""The word that a market list which was cut short is counted under."""
_MOST_GONE_SHARE = 0.2
_FEW = 10
"""A list that lacks more than a fifth of the markets, and more than a few, is taken for a partial answer."""
_LINKS = ("renamed_to", "renamed_from")


@dataclass(frozen=True, slots=True)
class Compared:
    """The listings that have to be written, and what changed about them."""

    listings: tuple[Listing, ...] = ()
    changes: tuple[MarketChange, ...] = ()
    perhaps_renamed: tuple[tuple[str, str], ...] = ()
    """Old and new symbol of what may be one market; not linked until someone says so."""


def compare(
    stored: Iterable[Listing], listed: Collection[Listing], *, at: datetime, may_shrink: bool = False
) -> Compared:
    """Compare; ``stored`` are the known markets of the venue and of the kinds that were asked for.

    The first list of a kind of market (spot, swap, future) changes nothing: it is where its history begins.

    Raises
    ------
    VenueUnavailable
        If so many markets are gone that the list is likely to be cut short, and it ``may_shrink`` not.
    """
    known = {item.symbol: item for item in stored}
    now = {item.symbol: item for item in listed}
    gone = [item for item in known.values() if item.symbol not in now and item.status != "delisted"]
    alive = sum(item.status != "delisted" for item in known.values())
    if not may_shrink and len(gone) > max(_FEW, _MOST_GONE_SHARE * alive):
        raise VenueUnavailable(
            f"the market list lacks {len(gone)} of {alive} markets that were listed: taken for a partial answer; "
            "nothing was changed. If they are really gone, say --accept-delistings",
            kind=PARTIAL_LIST,
        )
    begun = {item.instrument.market_type for item in known.values()}
    appeared = {
        symbol: item
        for symbol, item in now.items()
        if symbol not in known and item.instrument.market_type in begun
    }
    renamed = _renamed(gone, appeared)
    ahead: dict[str, Listing] = {
        symbol: _kept(known[symbol], item, at) if symbol in known else item for symbol, item in now.items()
    }
    for item in gone:
        ahead[item.symbol] = item.model_copy(
            update={"status": "delisted", "delisted_at": min(item.delisted_at or at, at)}
        )
    for old, new in renamed.items():
        ahead[old] = ahead[old].model_copy(update={"renamed_to": new})
        ahead[new] = ahead[new].model_copy(update={"renamed_from": old})
    written = [item for symbol, item in ahead.items() if known.get(symbol) != item]
    return Compared(
        tuple(written),
        tuple(
            change
            for item in written
            if item.symbol in known or item.symbol in appeared
            for change in _changes(known.get(item.symbol), item, at)
        ),
        tuple(_perhaps(gone, appeared, renamed)),
    )


def rename(stored: Iterable[Listing], old: str, new: str, *, at: datetime) -> Compared:
    """Link two symbols of one venue as one market, because a person says so.

    Raises
    ------
    ContractError
        If one of them is unknown, or linked otherwise already.
    """
    known = {item.symbol: item for item in stored}
    for symbol in (old, new):
        if symbol not in known:
            raise ContractError(
                f"expected two known symbols, found {symbol!r}; `quantbus ingest instruments` lists them"
            )
    before, after = known[old], known[new]
    if old == new or before.renamed_to not in (None, new) or after.renamed_from not in (None, old):
        raise ContractError(
            f"cannot link {old} to {new}: {old} goes on as {before.renamed_to or 'nothing'}, "
            f"{new} was {after.renamed_from or 'nothing'} before"
        )
    written = [
        before.model_copy(update={"renamed_to": new}),
        after.model_copy(update={"renamed_from": old}),
    ]
    written = [item for item in written if item != known[item.symbol]]
    changes = [change for item in written for change in _changes(known[item.symbol], item, at)]
    return Compared(tuple(written), tuple(changes))


def _kept(former: Listing, listed: Listing, at: datetime) -> Listing:
    """Return what the venue says now, with what only we know: links, and when it was listed or delisted."""
    kept = {name: getattr(former, name) for name in _LINKS}
    ended = listed.delisted_at
    if listed.status == "delisted" and ended is None:
        ended = former.delisted_at if former.status == "delisted" else at
    return listed.model_copy(
        update={**kept, "listed_at": listed.listed_at or former.listed_at, "delisted_at": ended}
    )


def _renamed(gone: Iterable[Listing], appeared: Mapping[str, Listing]) -> dict[str, str]:
    """Return new symbols by old where the venue's own name stayed the same, one to one."""
    by_name: dict[tuple[str, str], list[str]] = {}
    for item in appeared.values():
        by_name.setdefault(_own_name(item), []).append(item.symbol)
    return {item.symbol: found[0] for item in gone if len(found := by_name.get(_own_name(item), [])) == 1}


def _own_name(item: Listing) -> tuple[str, str]:
    return item.instrument.market_type, item.venue_symbol


def _perhaps(
    gone: Iterable[Listing], appeared: Mapping[str, Listing], renamed: Mapping[str, str]
) -> list[tuple[str, str]]:
    """Pair what vanished with what appeared at once and was listed at the same instant, in the same currencies."""
    taken = set(renamed.values())
    return [
        (item.symbol, other.symbol)
        for item in gone
        if item.symbol not in renamed and item.listed_at is not None
        for other in appeared.values()
        if other.symbol not in taken and _alike(item, other)
    ]


def _alike(one: Listing, other: Listing) -> bool:
    first, second = one.instrument, other.instrument
    return (first.market_type, first.quote, first.settle, one.listed_at) == (
        second.market_type,
        second.quote,
        second.settle,
        other.listed_at,
    )


def _changes(former: Listing | None, item: Listing, at: datetime) -> list[MarketChange]:
    if former is None:
        fields = ["status", *(name for name in _LINKS if getattr(item, name))]
    else:
        fields = [name for name in RULE_FIELDS if getattr(former, name) != getattr(item, name)]
    return [
        MarketChange(
            symbol=item.symbol,
            at=at,
            field=name,
            old=_text(getattr(former, name)) if former else None,
            new=_text(getattr(item, name)),
        )
        for name in fields
    ]


def _text(value: object) -> str | None:
    if isinstance(value, datetime):
        return value.isoformat()
    return None if value is None else str(value)
