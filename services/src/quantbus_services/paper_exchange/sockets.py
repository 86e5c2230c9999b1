"""The HTTP protocol that lets an application end its own connection, as a fault has to."""

import asyncio
from typing import cast

from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ["TellingProtocol"]


class TellingProtocol(H11Protocol):
    """Puts the connection's transport into ``scope["state"]``."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Note the transport."""
        self.app_state = {**self.app_state, "transport": transport}
        super().connection_made(cast("asyncio.Transport", transport))
