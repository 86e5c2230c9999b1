"""Keys of the HTTP gateway; hashes only."""

from quantbus_contracts.mongo.client import AsyncConnection, Connection
from quantbus_contracts.mongo.documents import keyed_row
from quantbus_contracts.mongo.steps import Call, Row, Steps, find, insert_many
from quantbus_contracts.schema.api_key import ApiKey

__all__ = ["ApiKeyStore", "AsyncApiKeyStore"]

COLLECTION = "api_keys"


def api_key_row(key: ApiKey) -> Row:
    """Return a key as a document."""
    fields = key.model_dump() | {"scopes": list(key.scopes), "strategies": list(key.strategies)}
    return keyed_row((key.key_id,), fields)


def revocation_pipeline() -> list[Row]:
    """Return the update that notes when a key ended; the first time stands."""
    return [{"$set": {"revoked_at": {"$ifNull": ["$revoked_at", "$$NOW"]}}}]


def _add(key: ApiKey) -> Steps[None]:
    yield insert_many(COLLECTION, [api_key_row(key)])


def _get(key_id: str) -> Steps[ApiKey | None]:
    rows = yield find(COLLECTION, {"_id": {"$eq": key_id}}, {"_id": 0}, limit=1)
    return ApiKey(**rows[0]) if rows else None


def _all() -> Steps[list[ApiKey]]:
    rows = yield find(COLLECTION, {}, {"_id": 0}, sort=[("created_at", 1), ("key_id", 1)])
    return [ApiKey(**row) for row in rows]


def _revoke(key_id: str) -> Steps[bool]:
    result = yield Call(COLLECTION, "update_one", ({"_id": {"$eq": key_id}}, revocation_pipeline()))
    return bool(result.matched_count)


class ApiKeyStore:
    """Stores keys, synchronously."""

    def __init__(self, connection: Connection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    def add(self, key: ApiKey) -> None:
        """Store a new key."""
        self._connection.run(_add(key))

    def get(self, key_id: str) -> ApiKey | None:
        """Return the key with this id; None if there is none."""
        return self._connection.run(_get(key_id))

    def all(self) -> list[ApiKey]:
        """Return every key, oldest first, the revoked ones too."""
        return self._connection.run(_all())

    def revoke(self, key_id: str) -> bool:
        """End a key for good, by the database's clock; return whether there is such a key."""
        return self._connection.run(_revoke(key_id))


class AsyncApiKeyStore:
    """Stores keys, asynchronously; the methods are those of `ApiKeyStore`, awaited."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Work over ``connection``."""
        self._connection = connection

    async def get(self, key_id: str) -> ApiKey | None:
        """Return the key with this id; None if there is none."""
        return await self._connection.run(_get(key_id))
