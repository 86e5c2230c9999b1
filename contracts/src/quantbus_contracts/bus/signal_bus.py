"""`SignalBus`: publish from anywhere, as often as you like, and be told what became of every row."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Self

from quantbus_contracts.bus.publishing import Desk, Wishes, default_valid_until
from quantbus_contracts.bus.rows import Given, Rows
from quantbus_contracts.mongo import signal_reader
from quantbus_contracts.mongo.author import Author
from quantbus_contracts.mongo.client import AsyncConnection, Connection, connect, connect_async
from quantbus_contracts.mongo.signal_writer import record_run
from quantbus_contracts.mongo.steps import Steps
from quantbus_contracts.ports import SignalSnapshot
from quantbus_contracts.runtime.settings import MongoSettings, load_settings
from quantbus_contracts.schema import (
    Declaration,
    Origin,
    PublishedSignal,
    PublishReport,
    PublishRun,
    Strategy,
)
from quantbus_contracts.timeframe import Timeframe

__all__ = ["AsyncSignalBus", "SignalBus", "default_valid_until"]


class _Bus:
    """What both buses share: every question as steps."""

    def __init__(self, publisher: str | None) -> None:
        author = Author.here(publisher)
        self.publisher = author.publisher
        self._desk = Desk(author)

    def _publish(
        self,
        rows: Rows,
        strategy_id: str | None,
        timeframe: str | None,
        venue: str | None,
        origin: Origin | None,
        declaration: Strategy | None,
        expected_versions: Mapping[str, int] | None,
        dry_run: bool,
    ) -> Steps[PublishReport]:
        if declaration is not None:
            strategy_id = strategy_id or declaration.strategy_id
        given = Given(strategy_id, timeframe, venue, origin)
        return self._desk.publish(rows, Wishes(given, declaration, expected_versions or {}, dry_run))

    def _latest(
        self, strategy_id: str, timeframe: str | Timeframe | None, pairs: Sequence[str] | None
    ) -> Steps[SignalSnapshot]:
        frame = yield from self._desk.timeframe_of(strategy_id, timeframe)
        return (yield from signal_reader.newest(strategy_id, frame, pairs))

    def _range(
        self,
        strategy_id: str,
        timeframe: str | Timeframe | None,
        pairs: Sequence[str] | None,
        start: datetime,
        end: datetime,
    ) -> Steps[list[PublishedSignal]]:
        frame = yield from self._desk.timeframe_of(strategy_id, timeframe)
        return (yield from signal_reader.span(strategy_id, frame, pairs, start, end))

    def _as_of(
        self,
        moment: datetime,
        strategy_id: str,
        timeframe: str | Timeframe | None,
        pairs: Sequence[str] | None,
    ) -> Steps[SignalSnapshot]:
        frame = yield from self._desk.timeframe_of(strategy_id, timeframe)
        return (yield from signal_reader.as_of(moment, strategy_id, frame, pairs))


class SignalBus(_Bus):
    """Publishes and reads signals, synchronously.

    Publishing the same rows again is always safe: equal content writes nothing, other content becomes the next
    version, and a batch that broke off is completed.
    """

    def __init__(self, connection: Connection, *, publisher: str | None = None) -> None:
        """Publish over ``connection``, signed with ``publisher`` (user@host where not given)."""
        super().__init__(publisher)
        self.connection = connection

    @classmethod
    def from_env(cls, *, publisher: str | None = None) -> Self:
        """Connect as the environment says: ``QUANTBUS_MONGO_URI``, else the embedded server."""
        return cls(connect(load_settings(MongoSettings), app="publisher"), publisher=publisher)

    def publish(
        self,
        rows: Rows,
        *,
        strategy_id: str | None = None,
        timeframe: str | None = None,
        venue: str | None = None,
        origin: Origin | None = None,
        declaration: Strategy | None = None,
        expected_versions: Mapping[str, int] | None = None,
        dry_run: bool = False,
    ) -> PublishReport:
        """Publish a data frame, models or mappings; each row is validated and judged on its own.

        Parameters
        ----------
        rows
            Columns or keys are the fields of `Signal`. A frame's index of times stands for ``ts``; cells without a
            value are absent fields.
        strategy_id, timeframe, origin
            What rows say that do not say it themselves.
        venue
            Where pairs without a symbol trade, unless the strategy is declared.
        declaration
            What to declare if the strategy is not declared yet; by default that follows from the rows.
        expected_versions
            By signal id: a row is stale where the bus holds another version, 0 meaning none.
        dry_run
            Explain what would become of each row, and write nothing.

        Raises
        ------
        BusUnavailable
            If the bus could not be read at all; nothing was written.
        ContractError
            If ``rows`` has no rows, or ``declaration`` is not the one that stands.
        """
        return self.connection.run(
            self._publish(
                rows, strategy_id, timeframe, venue, origin, declaration, expected_versions, dry_run
            )
        )

    def latest(
        self, strategy_id: str, timeframe: str | Timeframe | None = None, pairs: Sequence[str] | None = None
    ) -> SignalSnapshot:
        """Return the newest signal of each pair (without history) by pair, and the database's clock.

        The timeframe is the declared one and the pairs are all there are, unless given.
        """
        return self.connection.run(self._latest(strategy_id, timeframe, pairs))

    def range(
        self,
        strategy_id: str,
        timeframe: str | Timeframe | None = None,
        pairs: Sequence[str] | None = None,
        *,
        start: datetime,
        end: datetime,
    ) -> list[PublishedSignal]:
        """Return the signals with ``ts`` in ``[start, end)`` and their history, by bar, then by pair."""
        return self.connection.run(self._range(strategy_id, timeframe, pairs, start, end))

    def as_of(
        self,
        moment: datetime,
        strategy_id: str,
        timeframe: str | Timeframe | None = None,
        pairs: Sequence[str] | None = None,
    ) -> SignalSnapshot:
        """Return what `latest` would have shown at ``moment``: revisions and rows that came later are not there."""
        return self.connection.run(self._as_of(moment, strategy_id, timeframe, pairs))

    def get(self, signal_id: str) -> PublishedSignal | None:
        """Return one signal with its history; None if unknown."""
        return self.connection.run(signal_reader.get(signal_id))

    def declare(self, strategy: Strategy, *, first_only: bool = False) -> None:
        """Store a strategy's declaration, or replace it: the next version, with a row in the audit.

        With ``first_only`` a declaration that stands is left as it is.
        """
        self.connection.run(self._desk.declare(strategy, first_only=first_only))

    def declaration(self, strategy_id: str) -> Declaration | None:
        """Return the declaration that stands, with its version; None if there is none."""
        return self.connection.run(self._desk.declaration(strategy_id))

    def strategy(self, strategy_id: str) -> Strategy | None:
        """Return what a strategy is declared as; None if it is not."""
        found = self.declaration(strategy_id)
        return found.strategy if found else None

    def record_run(self, run: PublishRun) -> None:
        """Note that a strategy was evaluated for a bar, also when it had nothing to say."""
        self.connection.run(record_run(run))

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()


class AsyncSignalBus(_Bus):
    """Publishes and reads signals, asynchronously; the methods are those of `SignalBus`, awaited."""

    def __init__(self, connection: AsyncConnection, *, publisher: str | None = None) -> None:
        """Publish over ``connection``, signed with ``publisher`` (user@host where not given)."""
        super().__init__(publisher)
        self.connection = connection

    @classmethod
    def from_env(cls, *, publisher: str | None = None) -> Self:
        """Connect as the environment says, inside the running event loop."""
        return cls(connect_async(load_settings(MongoSettings), app="publisher"), publisher=publisher)

    async def publish(
        self,
        rows: Rows,
        *,
        strategy_id: str | None = None,
        timeframe: str | None = None,
        venue: str | None = None,
        origin: Origin | None = None,
        declaration: Strategy | None = None,
        expected_versions: Mapping[str, int] | None = None,
        dry_run: bool = False,
    ) -> PublishReport:
        """Publish a data frame, models or mappings; see `SignalBus.publish`."""
        return await self.connection.run(
            self._publish(
                rows, strategy_id, timeframe, venue, origin, declaration, expected_versions, dry_run
            )
        )

    async def latest(
        self, strategy_id: str, timeframe: str | Timeframe | None = None, pairs: Sequence[str] | None = None
    ) -> SignalSnapshot:
        """Return the newest signal of each pair; see `SignalBus.latest`."""
        return await self.connection.run(self._latest(strategy_id, timeframe, pairs))

    async def range(
        self,
        strategy_id: str,
        timeframe: str | Timeframe | None = None,
        pairs: Sequence[str] | None = None,
        *,
        start: datetime,
        end: datetime,
    ) -> list[PublishedSignal]:
        """Return the signals with ``ts`` in ``[start, end)`` and their history, by bar, then by pair."""
        return await self.connection.run(self._range(strategy_id, timeframe, pairs, start, end))

    async def as_of(
        self,
        moment: datetime,
        strategy_id: str,
        timeframe: str | Timeframe | None = None,
        pairs: Sequence[str] | None = None,
    ) -> SignalSnapshot:
        """Return what `latest` would have shown at ``moment``; see `SignalBus.as_of`."""
        return await self.connection.run(self._as_of(moment, strategy_id, timeframe, pairs))

    async def get(self, signal_id: str) -> PublishedSignal | None:
        """Return one signal with its history; None if unknown."""
        return await self.connection.run(signal_reader.get(signal_id))

    async def declare(self, strategy: Strategy, *, first_only: bool = False) -> None:
        """Store a strategy's declaration, or replace it; see `SignalBus.declare`."""
        await self.connection.run(self._desk.declare(strategy, first_only=first_only))

    async def declaration(self, strategy_id: str) -> Declaration | None:
        """Return the declaration that stands, with its version; None if there is none."""
        return await self.connection.run(self._desk.declaration(strategy_id))

    async def strategy(self, strategy_id: str) -> Strategy | None:
        """Return what a strategy is declared as; None if it is not."""
        found = await self.declaration(strategy_id)
        return found.strategy if found else None

    async def record_run(self, run: PublishRun) -> None:
        """Note that a strategy was evaluated for a bar, also when it had nothing to say."""
        await self.connection.run(record_run(run))

    async def close(self) -> None:
        """Close the connection."""
        await self.connection.close()
