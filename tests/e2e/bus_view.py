"""The bus as a publisher and a reader see it, on any server."""

from datetime import UTC, datetime

from pydantic import SecretStr

from quantbus_contracts import SignalBus
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.execution_reader import ExecutionReader
from quantbus_contracts.mongo.heartbeats import HeartbeatStore
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import Execution, Heartbeat, Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from tests.e2e.waiting import eventually

STRATEGY, CONSUMER = "e2e", "e2e-bot"
PAIRS = tuple(f"{name}/USDT" for name in ("BTC", "ETH", "SOL", "XRP", "ADA", "DOT", "LTC", "BNB"))
ONE_MINUTE = Timeframe.parse("1m")
_END_STATES = ("refused", "filled", "rejected", "superseded")


class BusView:
    """Publishes by hand, and reads what became of it."""

    def __init__(self, uri: str) -> None:
        settings = MongoSettings(mongo_uri=SecretStr(uri))
        self.connection: Connection = connect(settings, app="e2e", timeout_seconds=20)
        self._signals = SignalBus(self.connection, publisher="e2e")
        self.published: dict[str, Signal] = {}
        """By pair, what was published last."""

    def close(self) -> None:
        """Close the connection."""
        self.connection.close()

    def declare(self) -> None:
        """Declare the strategy that signals are published for."""
        self._signals.declare(
            Strategy(strategy_id=STRATEGY, venue="BINANCE", timeframe="1m", pairs=PAIRS, cadence_bars=None)
        )

    def publish(
        self, pair: str, action: str, *, ts: datetime | None = None, valid_until: datetime | None = None
    ) -> Signal:
        """Publish a signal about the bar that closed last, or the one that opens at ``ts``."""
        bar = ts or last_closed()
        fields = {"valid_until": valid_until} if valid_until else {}
        signal_ = make_signal(strategy_id=STRATEGY, pair=pair, action=action, ts=bar, **fields)
        report = self._signals.publish([signal_])
        assert report.ok, report.as_dict()
        self.published[pair] = signal_
        return signal_

    def row(self, signal_: Signal) -> Execution | None:
        """Return the ledger's row of a signal."""
        rows = ExecutionReader(self.connection).of_signal(signal_.signal_id)
        return rows[0] if rows else None

    def end_of(self, signal_: Signal, *, within: float = 30.0, version: int = 1) -> Execution:
        """Return the final row of a signal, once there is one."""

        def final() -> Execution | None:
            row = self.row(signal_)
            return row if row and row.version >= version and row.state.value in _END_STATES else None

        return eventually(final, within=within, what=f"a final state of {signal_.pair} {signal_.action}")

    def heartbeats(self) -> list[Heartbeat]:
        """Return the signs of life on the bus."""
        return HeartbeatStore(self.connection).all()

    def await_seen(self, signal_: Signal, *, version: int = 1) -> None:
        """Wait until the bot has read a revision of a signal, without having come to an end with it."""

        def seen() -> bool:
            row = self.row(signal_)
            return row is not None and (row.version, row.state.value) == (version, "seen")

        eventually(seen, within=30, what=f"{signal_.pair} {signal_.action} to be seen")


def last_closed() -> datetime:
    """Return the open time of the bar that closed last."""
    return ONE_MINUTE.last_closed(datetime.now(UTC))
