"""Composition roots: reading a venue's market list, linking renames, looking at what is known."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime

from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.listings import AsyncListingStore, ListingStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Listing, MarketChange
from quantbus_services.ingestion.desk import open_desk
from quantbus_services.ingestion.listings.compare import Compared, rename
from quantbus_services.ingestion.listings.refresh import ListingKeeper
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.windows import parse_moment

__all__ = ["known_markets", "link_rename", "refresh_markets"]


async def refresh_markets(settings: IngestionSettings, mongo: MongoSettings, *, may_shrink: bool) -> Compared:
    """Bring the instrument master to what the venue lists now."""
    async with open_desk(settings, mongo, with_derivatives=True) as desk:
        store = AsyncListingStore(desk.connection)
        keeper = ListingKeeper(desk.venue, desk.patient, store, desk.clock)
        return await keeper.refresh(reload=False, may_shrink=may_shrink)


def link_rename(old: str, new: str, mongo: MongoSettings) -> Compared:
    """Link two symbols as one market that was renamed."""
    with closing(connect(mongo, app="ingestion", timeout_seconds=20.0)) as connection:
        store = ListingStore(connection)
        linked = rename(store.all(old.split(":", 1)[0]), old, new, at=connection.server_now())
        store.record(linked.listings, linked.changes)
        return linked


def known_markets(
    venue: str, since: str, mongo: MongoSettings
) -> tuple[Sequence[Listing], Sequence[MarketChange], datetime]:
    """Return the known markets of a venue, what changed since then, and the instant that ``since`` means."""
    with closing(connect(mongo, app="ingestion", timeout_seconds=20.0)) as connection:
        store = ListingStore(connection)
        start = parse_moment(since, connection.server_now(), "--since")
        return store.all(venue), store.changes(venue=venue, since=start), start
