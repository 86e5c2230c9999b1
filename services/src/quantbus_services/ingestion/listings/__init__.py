"""The instrument master: what venues list and listed, with rules, renames and delistings."""

from quantbus_services.ingestion.listings.compare import Compared, compare, rename
from quantbus_services.ingestion.listings.read import read_listings
from quantbus_services.ingestion.listings.refresh import ListingKeeper

__all__ = ["Compared", "ListingKeeper", "compare", "read_listings", "rename"]
