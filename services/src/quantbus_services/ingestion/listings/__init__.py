"""The instrument master: what venues list and listed, with rules, renames and delistings."""

from quantbus_services.ingestion.listings.compare import PARTIAL_LIST, Compared, compare, rename
from quantbus_services.ingestion.listings.read import read_listings
from quantbus_services.ingestion.listings.refresh import ListingKeeper

__all__ = ["PARTIAL_LIST", "Compared", "ListingKeeper", "compare", "read_listings", "rename"]
