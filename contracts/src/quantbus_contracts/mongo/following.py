"""Goes along when the embedded server comes back at another address, as it may after every start."""

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.address import resolve_uri
from quantbus_contracts.mongo.client import AsyncConnection, connect_async
from quantbus_contracts.runtime.settings import MongoSettings

__all__ = ["AddressFollower"]


class AddressFollower:
    """Keeps a connection at the address that stands in the settings, or that the embedded server wrote down."""

    def __init__(self, connection: AsyncConnection, settings: MongoSettings, *, app: str) -> None:
        """Look after ``connection``, which was made with the same settings."""
        self._connection = connection
        self._settings = settings
        self._app = app
        self._address = resolve_uri(settings)
        self._left_behind: AsyncConnection | None = None

    async def follow(self) -> bool:
        """Turn the connection to where the bus is now, if that is elsewhere; tell whether it was.

        The stores that hold the connection need not know. What still waits for the former server ends with its
        time-out: the former client is closed with the next move, or by `close`.
        """
        try:
            address = resolve_uri(self._settings)
        except ConfigError:
            return False  # no server has written its address down: it is on its way, or stopped
        if address == self._address:
            return False
        fresh = connect_async(self._settings, app=self._app, timeout_seconds=self._connection.timeout_seconds)
        self._address = address
        await self.close()
        self._left_behind = AsyncConnection(
            self._connection.client, self._settings, self._connection.timeout_seconds
        )
        self._connection.client = fresh.client
        return True

    async def close(self) -> None:
        """Close the client that was left behind, if there is one; the connection itself stays open."""
        left_behind, self._left_behind = self._left_behind, None
        if left_behind is not None:
            await left_behind.close()
