"""The one follower of this process: made when the bot starts, replaced (and its sockets closed) on a reload.

It lives here and not on the strategy object, which hyperopt pickles and a reload throws away.
"""

import logging
from collections.abc import Mapping
from typing import Any

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_executor.assembly import build_follower
from quantbus_executor.follower import SignalFollower
from quantbus_executor.settings import ExecutorSettings
from quantbus_executor.trades.book import TradeBook

__all__ = ["FOLLOWING", "Session", "build_follower"]

logger = logging.getLogger(__name__)
_SIGNALS = "crypto_signals"


class Session:
    """Holds the follower between callbacks."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._connection: Connection | None = None
        self._follower: SignalFollower | None = None

    def start(self, config: Mapping[str, Any], book: TradeBook, mode: str) -> None:
        """Begin to follow as Freqtrade's ``config`` says; ends what an earlier start began.

        Raises
        ------
        ConfigError
            If a setting is wrong, or the bot runs in a ``mode`` (Freqtrade's run mode) that is not supported.
        """
        self.stop()
        if mode != "dry_run":
            raise ConfigError(
                f"ExternalSignalStrategy follows signals in `freqtrade trade --dry-run` only, found run mode "
                f"{mode!r}: stored signals are not replayed into backtests, and an order with real money "
                "needs a claim that survives a crash"
            )
        if not config.get("use_exit_signal", True):
            raise ConfigError(
                "expected use_exit_signal true, found false: Freqtrade would never ask for exits, and signals could "
                "open trades that none of them can close; remove it from the config"
            )
        settings = ExecutorSettings.load(config)
        self._connection = connect(
            settings.mongo,
            app=f"executor-{settings.consumer_id}",
            timeout_seconds=settings.query_timeout.total_seconds(),
            renamed={_SIGNALS: settings.collection},
        )
        self._follower = build_follower(settings, self._connection, book, SystemClock())
        logger.info(
            "following strategy %s (%s bars) as consumer %s",
            settings.strategy_id,
            settings.timeframe,
            settings.consumer_id,
        )

    def stop(self) -> None:
        """Send what the ledger lacks, close the sockets, forget the follower; may be called at any time."""
        connection, self._connection = self._connection, None
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.send_ledger()
        if connection is not None:
            connection.close()

    @property
    def follower(self) -> SignalFollower:
        """The follower.

        Raises
        ------
        ConfigError
            If the bot was not started.
        """
        if self._follower is None:
            raise ConfigError("expected a started bot, found none: nothing is followed yet")
        return self._follower


FOLLOWING = Session()
