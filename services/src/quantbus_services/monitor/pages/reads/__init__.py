"""What the pages read and, for an admin, write."""

from quantbus_services.monitor.pages.reads.ports import Chain, Reads
from quantbus_services.monitor.pages.reads.stored import StoredReads

__all__ = ["Chain", "Reads", "StoredReads"]
