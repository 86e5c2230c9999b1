"""The pages' questions, asked of the real bus."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from quantbus_contracts import Candle, Execution, PublishedSignal, PublishRun, Strategy, Timeframe
from quantbus_contracts.mongo.account_snapshots import AsyncAccountSnapshots
from quantbus_contracts.mongo.api_keys import AsyncApiKeyStore
from quantbus_contracts.mongo.bar_arrivals import AsyncBarArrivals
from quantbus_contracts.mongo.candle_reader import AsyncCandleReader
from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.controls import AsyncControlStore
from quantbus_contracts.mongo.execution_reader import AsyncExecutionReader
from quantbus_contracts.mongo.findings import AsyncFindingStore, FindingSnapshot
from quantbus_contracts.mongo.gaps import AsyncGapStore
from quantbus_contracts.mongo.glances import AsyncGlances, PairSpan
from quantbus_contracts.mongo.heartbeats import AsyncHeartbeatStore
from quantbus_contracts.mongo.risk_states import AsyncRiskStateStore
from quantbus_contracts.mongo.signal_pages import AsyncSignalPages, PageQuery
from quantbus_contracts.mongo.signal_reader import AsyncSignalReader
from quantbus_contracts.mongo.strategies import AsyncStrategyStore
from quantbus_contracts.policy import Life
from quantbus_contracts.ports import ControlSnapshot, RiskSnapshot
from quantbus_contracts.schema import (
    BROKEN_GAPS,
    AccountSnapshot,
    Balance,
    Control,
    Declaration,
    Fill,
    Gap,
    Holding,
    RecordedFinding,
)
from quantbus_contracts.schema.api_key import ApiKey

__all__ = ["StoredReads"]

_MOST_FILLS_OF_ONE = 100
_NEXT = timedelta(milliseconds=1)


class StoredReads:
    """Answers from the stores; each method is one question, or a few that belong together."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection
        self._glances = AsyncGlances(connection)
        self._signals = AsyncSignalReader(connection)
        self._pages = AsyncSignalPages(connection)
        self._ledger = AsyncExecutionReader(connection)
        self._strategies = AsyncStrategyStore(connection)
        self._candles = AsyncCandleReader(connection)
        self._arrivals = AsyncBarArrivals(connection)
        self._gaps = AsyncGapStore(connection)
        self._heartbeats = AsyncHeartbeatStore(connection)
        self._controls = AsyncControlStore(connection)
        self._risks = AsyncRiskStateStore(connection)
        self._findings = AsyncFindingStore(connection)
        self._accounts = AsyncAccountSnapshots(connection)
        self._keys = AsyncApiKeyStore(connection)

    async def latest_signals(self, limit: int) -> Sequence[PublishedSignal]:
        """Return the signals last published or revised, the newest first."""
        return await self._glances.latest_signals(limit)

    async def signals_of(self, strategy: Strategy, limit: int) -> Sequence[PublishedSignal]:
        """Return a strategy's last signals, the newest first."""
        timeframe = Timeframe.parse(strategy.timeframe)
        snapshot = await self._signals.newest(strategy.strategy_id, timeframe, strategy.pairs)
        newest = max((signal.available_at for signal in snapshot.signals.values()), default=None)
        if newest is None:
            return ()
        return await self._glances.signals_of(strategy.strategy_id, newest, limit)

    async def signals_of_pair(self, span: PairSpan, limit: int) -> Sequence[PublishedSignal]:
        """Return the newest signals of a pair, oldest first."""
        return await self._glances.signals_of_pair(span, limit)

    async def ledger_of(self, signal_ids: Collection[str], limit: int) -> Sequence[Execution]:
        """Return what consumers did with these signals."""
        return await self._glances.ledger_of(signal_ids, limit) if signal_ids else ()

    async def life_of(self, signal_id: str) -> Life | None:
        """Return everything about one signal; None if the bus does not know it."""
        published = await self._signals.get(signal_id)
        if published is None:
            return None
        signal, timeframe = published.signal, Timeframe.parse(published.signal.timeframe)
        later = PageQuery(signal.strategy_id, timeframe, 1, pairs=[signal.pair], start=signal.ts + _NEXT)
        return Life(
            now=await self._connection.server_now(),
            published=published,
            executions=await self._ledger.of_signal(signal_id),
            newer=next(iter((await self._pages.span(later)).signals), None),
            controls=(await self._controls.snapshot()).controls,
            risks=(await self._risks.snapshot()).states,
            fills=await self._glances.fills_of(signal_id, _MOST_FILLS_OF_ONE),
            bots=await self._heartbeats.all(),
            ingested_at=await self._arrivals.of(signal.symbol, timeframe, signal.ts),
        ).confined()

    async def declaration(self, strategy_id: str) -> Declaration | None:
        """Return a strategy's declaration; None if there is none."""
        return await self._strategies.get(strategy_id)

    async def runs(self, strategy: Strategy, start: datetime, end: datetime) -> Sequence[PublishRun]:
        """Return a strategy's evaluations with ``ts`` in ``[start, end)``, oldest first."""
        timeframe = Timeframe.parse(strategy.timeframe)
        return await self._signals.runs(strategy.strategy_id, timeframe, start, end)

    async def candles(
        self, symbol: str, timeframe: Timeframe, start: datetime, end: datetime, limit: int
    ) -> Sequence[Candle]:
        """Return the newest bars that open in ``[start, end)``, oldest first."""
        return await self._candles.candles(symbol, timeframe, start, end, limit=limit)

    async def fills(
        self, start: datetime, end: datetime, limit: int, *, pair: str | None = None
    ) -> Sequence[Fill]:
        """Return the newest fills in ``[start, end)``, newest first."""
        return await self._glances.fills(start, end, limit, pair=pair)

    async def broken_gaps(self) -> Sequence[Gap]:
        """Return the gaps in which bars may exist that the bus does not have."""
        return await self._gaps.find(states=BROKEN_GAPS)

    async def holdings(self) -> Sequence[Holding]:
        """Return what is, or was last, known of each pair of each bot."""
        return await self._glances.holdings()

    async def balances(self) -> Sequence[Balance]:
        """Return what each bot has of each currency."""
        return await self._glances.balances()

    async def accounts(self) -> Sequence[AccountSnapshot]:
        """Return the newest snapshot of each exchange account, by name."""
        return [snapshot for _, snapshot in sorted((await self._accounts.newest()).items())]

    async def findings(self, resolved_since: datetime) -> FindingSnapshot:
        """Return the recorded findings that stand, and those resolved since."""
        return await self._findings.snapshot(resolved_since=resolved_since)

    async def controls(self) -> ControlSnapshot:
        """Return every control."""
        return await self._controls.snapshot()

    async def risks(self) -> RiskSnapshot:
        """Return every risk row."""
        return await self._risks.snapshot()

    async def key(self, key_id: str) -> ApiKey | None:
        """Return the key with this id; None if there is none."""
        return await self._keys.get(key_id)

    async def put_control(self, control: Control) -> None:
        """Store or replace what its source says about its scope."""
        await self._controls.put(control)

    async def lift_control(self, scope: str, source: str, *, by: str) -> bool:
        """End a control now; tell whether one was in force."""
        return await self._controls.lift(scope, source, by=by)

    async def acknowledge(
        self, name: str, *, by: str, reason: str, until: datetime | None
    ) -> RecordedFinding | None:
        """Take on the open finding of this id; None if none is open."""
        return await self._findings.acknowledge(name, by=by, reason=reason, until=until)
