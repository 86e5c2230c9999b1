"""Reads a venue's market list, and stores, logs and counts what is new about it."""

from collections.abc import Callable, Sequence

import structlog

from quantbus_contracts.clock import Clock
from quantbus_contracts.mongo.listings import AsyncListingStore
from quantbus_contracts.schema import Listing, MarketChange
from quantbus_services.ingestion.listings.compare import Compared, compare
from quantbus_services.ingestion.listings.read import read_listings
from quantbus_services.ingestion.venue.ccxt_source import CcxtSource
from quantbus_services.ingestion.venue.patience import PatientSource

__all__ = ["ListingKeeper"]

_log = structlog.get_logger(__name__)
_WARNED = ("delisted", "renamed", "relisted")


class ListingKeeper:
    """Keeps the instrument master of one venue."""

    def __init__(
        self,
        venue: CcxtSource,
        patient: PatientSource,
        store: AsyncListingStore,
        clock: Clock,
        *,
        on_changes: Callable[[Sequence[MarketChange]], None] = lambda _changes: None,
    ) -> None:
        """Ask ``venue`` through ``patient``; ``on_changes`` hears of what changed."""
        self._venue = venue
        self._patient = patient
        self._store = store
        self._clock = clock
        self._on_changes = on_changes

    async def refresh(self, *, reload: bool = True, may_shrink: bool = False) -> Compared:
        """Bring the master to what the list says; only the kinds of market are looked at that were asked for.

        Without ``reload`` the list counts that was read when the venue was opened.

        Raises
        ------
        VenueUnavailable
            If the venue does not answer, or answers with a list that is likely to be cut short.
        """
        if reload:
            await self._patient.instruments()
        listed = read_listings(
            self._venue.markets(), self._venue.venue, states_steps=self._venue.is_tick_size()
        )
        asked_for = {item.instrument.market_type for item in listed}
        stored = [
            item
            for item in await self._store.all(self._venue.venue)
            if item.instrument.market_type in asked_for
        ]
        compared = compare(stored, listed, at=self._clock.now(), may_shrink=may_shrink)
        await self._store.record(compared.listings, compared.changes)
        self._tell(compared)
        return compared

    async def known(self) -> list[Listing]:
        """Return every market of the venue that is known."""
        return await self._store.all(self._venue.venue)

    def _tell(self, compared: Compared) -> None:
        for change in compared.changes:
            told = _log.warning if change.event in _WARNED else _log.info
            told(
                f"market_{change.event}",
                symbol=change.symbol,
                field=change.field,
                old=change.old,
                new=change.new,
            )
        for old, new in compared.perhaps_renamed:
            _log.warning("market_perhaps_renamed", old=old, new=new)
        self._on_changes(compared.changes)
