"""The one follower of this process: made when the bot starts, replaced (and its sockets closed) on a reload.

It lives here and not on the strategy object, which hyperopt pickles and a reload throws away.
"""

import atexit
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import pandas as pd

from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.leases import LeaseStore
from quantbus_contracts.timeframe import Timeframe
from quantbus_executor.assembly import Account, build_follower
from quantbus_executor.backtest.book import ListedTrades, Lists
from quantbus_executor.backtest.recalling import recall_from_bus
from quantbus_executor.backtest.rehearsal import Rehearsal
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.claims.opening import claims_file, open_claims
from quantbus_executor.claims.venue import Venue
from quantbus_executor.follower import SignalFollower
from quantbus_executor.ledger.outbox import Outbox
from quantbus_executor.ledger.reports import Reporter
from quantbus_executor.settings import ExecutorSettings
from quantbus_executor.trades.book import TradeBook
from quantbus_executor.trades.house_rules import HouseRules

__all__ = ["FOLLOWING", "Session", "build_follower"]

logger = logging.getLogger(__name__)
_SIGNALS = "crypto_signals"
_TRADING = ("dry_run", "live")
_REHEARSED = ("backtest", "hyperopt", "util_no_exchange", "webserver")
"""Freqtrade's run modes over the past; the third is that of its analyses."""


class Parameter(Protocol):
    """A parameter of the strategy, as hyperopt sets it."""

    @property
    def value(self) -> float:
        """What it is set to."""
        ...


class Session:
    """Holds the follower between callbacks."""

    def __init__(self) -> None:
        """Hold nothing yet."""
        self._connection: Connection | None = None
        self._follower: SignalFollower | None = None
        self._claims: ClaimKeeper | None = None
        self._rehearsal: Rehearsal | None = None
        self._settings: ExecutorSettings | None = None

    def __getstate__(self) -> dict[str, Any]:
        """Leave behind what belongs to this process: hyperopt sends its strategy to others."""
        return {**self.__dict__, "_connection": None, "_follower": None, "_claims": None}

    def start(
        self,
        config: Mapping[str, Any],
        book: TradeBook,
        mode: str,
        listed: ListedTrades | None = None,
        venue: Venue | None = None,
        house: HouseRules | None = None,
    ) -> None:
        """Begin to follow as Freqtrade's ``config`` says; ends what an earlier start began.

        ``listed`` is where Freqtrade keeps its trades when it runs over the past, without a database; ``venue`` is
        asked about orders of an account whose fate is unknown; ``house`` says what Freqtrade refuses by itself.

        Raises
        ------
        ConfigError
            If a setting is wrong, another bot trades the account or has the claims file, or the bot runs in a
            ``mode`` (Freqtrade's run mode) that is not supported.
        """
        self.stop()
        if mode not in (*_TRADING, *_REHEARSED) or (mode == "live" and venue is None):
            known = ", ".join((*_TRADING, *_REHEARSED))
            raise ConfigError(f"expected one of {known}, found run mode {mode!r}")
        _refuse_what_mutes_signals(config)
        settings = self._settings = ExecutorSettings.load(config)
        if mode in _REHEARSED:
            own = Timeframe.parse(str(config.get("timeframe")))
            self._rehearsal = Rehearsal(settings, own, listed or Lists(), tunes=mode == "hyperopt")
            if settings.backtest_ledger is not None:
                atexit.register(self.stop)  # Freqtrade tells nobody when a backtest is over
            return
        self._follow(settings, config, book, venue if mode == "live" else None, house)
        logger.info(
            "following strategy %s (%s bars) as consumer %s; its claims are in %s",
            settings.strategy_id,
            settings.timeframe,
            settings.consumer_id,
            claims_file(settings, config),
        )

    def _follow(
        self,
        settings: ExecutorSettings,
        config: Mapping[str, Any],
        book: TradeBook,
        venue: Venue | None,
        house: HouseRules | None,
    ) -> None:
        """Connect and put the follower together; with a ``venue`` its orders are real."""
        clock = SystemClock()
        connection = self._connection = connect(
            settings.mongo,
            app=f"executor-{settings.consumer_id}",
            timeout_seconds=settings.query_timeout.total_seconds(),
            renamed={_SIGNALS: settings.collection},
        )
        leases = LeaseStore(connection) if venue is not None else None
        self._claims = open_claims(settings, config, book, clock, venue=venue, leases=leases)
        if venue is not None:
            atexit.register(self.stop)  # so that another bot may have the account at once
        outbox = Outbox(_outbox_file(claims_file(settings, config)))
        reporter = Reporter(settings.consumer_id, settings.strategy_id, dry_run=venue is None)
        account = Account(outbox, reporter, house)
        self._follower = build_follower(settings, connection, book, clock, self._claims, account)

    def stop(self) -> None:
        """Send what the ledger lacks, close the sockets, forget the follower; may be called at any time."""
        connection, self._connection = self._connection, None
        follower, self._follower = self._follower, None
        claims, self._claims = self._claims, None
        rehearsal, self._rehearsal = self._rehearsal, None
        if follower is not None:
            follower.end()
        if claims is not None:
            claims.end()
        if (
            rehearsal is not None
            and self._settings is not None
            and self._settings.backtest_ledger is not None
        ):
            rehearsal.save_ledger(self._settings.backtest_ledger)
        if connection is not None:
            connection.close()

    def recall(self, frame: pd.DataFrame, pair: str) -> pd.DataFrame:
        """Read what a run over the past needs to know about the bars of ``frame``; return the frame as it is.

        Raises
        ------
        BusUnavailable
            If the bus does not answer; a run without it would look like one without signals.
        """
        if self._rehearsal is not None and self._settings is not None:
            self._rehearsal.recall(frame, pair, partial(recall_from_bus, self._settings))
        return frame

    def on_loop(self, whitelist: Callable[[], Sequence[str]], now: datetime) -> None:
        """Live through one loop of the bot, or through the moment ``now`` of the past."""
        if self._rehearsal is not None:
            self._rehearsal.on_loop(now)
        else:
            self.follower.on_loop(whitelist())

    def mark(
        self, frame: pd.DataFrame, pair: str, parameters: Iterable[tuple[str, Parameter]]
    ) -> pd.DataFrame:
        """Return the frame with its last row marked if the pair is to be entered; every row, over the past."""
        if self._rehearsal is not None:
            values = {name: parameter.value for name, parameter in parameters}
            return self._rehearsal.mark(frame, pair, values)
        return self.follower.entries.mark(frame, pair)

    @property
    def follower(self) -> SignalFollower:
        """The follower.

        Raises
        ------
        ConfigError
            If the bot was not started.
        """
        if self._rehearsal is not None:
            return self._rehearsal.follower
        if self._follower is None:
            raise ConfigError("expected a started bot, found none: nothing is followed yet")
        return self._follower


def _outbox_file(claims: Path) -> Path:
    """Return where the outbox is: beside the claims."""
    return claims.with_name(f"{claims.name.removesuffix('.sqlite').removesuffix('.claims')}.outbox.sqlite")


def _refuse_what_mutes_signals(config: Mapping[str, Any]) -> None:
    """Refuse a config under which Freqtrade would not ask about leaving, or about the stops of signals."""
    if not config.get("use_exit_signal", True):
        raise ConfigError(
            "expected use_exit_signal true, found false: Freqtrade would never ask for exits, and signals could "
            "open trades that none of them can close; remove it from the config"
        )
    if not config.get("use_custom_stoploss", True):
        raise ConfigError(
            "expected use_custom_stoploss true, found false: Freqtrade would never ask for the stop_price of a "
            "signal, and its trades would run on to the stop of last resort; remove it from the config"
        )


FOLLOWING = Session()
