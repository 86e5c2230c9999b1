"""Puts a follower together over what it needs of the bus: the real one, or one that is kept in memory."""

from dataclasses import dataclass

from quantbus_contracts.clock import Clock
from quantbus_contracts.mongo.account_books import AccountBooks as MongoAccountBooks
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.execution_reader import ExecutionReader as MongoExecutionReader
from quantbus_contracts.mongo.heartbeats import HeartbeatStore as MongoHeartbeatStore
from quantbus_contracts.mongo.restraints import RestraintReader as MongoRestraintReader
from quantbus_contracts.mongo.signal_reader import SignalReader as MongoSignalReader
from quantbus_contracts.mongo.signal_sweep import SignalSweeper as MongoSignalSweeper
from quantbus_contracts.ports import (
    AccountBooks,
    ExecutionReader,
    HeartbeatStore,
    RestraintReader,
    SignalReader,
    SignalSweeper,
)
from quantbus_executor.acting.gate import EntryGate
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.follower import SignalFollower
from quantbus_executor.hearing.feed import SignalFeed
from quantbus_executor.hearing.patience import Patience
from quantbus_executor.hearing.restraints import Restraints
from quantbus_executor.heartbeat import Pulse
from quantbus_executor.ledger.bookkeeping import Bookkeeper
from quantbus_executor.ledger.journal import Journal, open_journal
from quantbus_executor.ledger.outbox import Outbox
from quantbus_executor.ledger.reports import Reporter, Reports
from quantbus_executor.ledger.sweep import Sweep
from quantbus_executor.settings import ExecutorSettings
from quantbus_executor.trades.book import TradeBook
from quantbus_executor.trades.claimed import UNCLAIMED
from quantbus_executor.trades.house_rules import HouseRules

__all__ = ["Account", "BusPorts", "assemble", "build_follower"]


@dataclass(frozen=True, slots=True, kw_only=True)
class BusPorts:
    """What a follower needs of the bus."""

    signals: SignalReader
    restraints: RestraintReader
    ledger: ExecutionReader
    journal: Journal
    heartbeats: HeartbeatStore
    sweeper: SignalSweeper | None = None
    books: AccountBooks | None = None


@dataclass(frozen=True, slots=True)
class Account:
    """What a bot that trades has besides: a place on the disk, a name in the reports, Freqtrade's own conditions."""

    outbox: Outbox
    reporter: Reporter
    house: HouseRules | None = None


def build_follower(
    settings: ExecutorSettings,
    connection: Connection,
    book: TradeBook,
    clock: Clock,
    claims: ClaimKeeper | None = None,
    account: Account | None = None,
) -> SignalFollower:
    """Put a follower together over one connection to the real bus."""
    patience = Patience(clock, settings.query_timeout, connection.bounded)
    bus = _ports_of(connection, settings, account.outbox if account is not None else None)
    return assemble(settings, bus, book, clock, patience, claims, account)


def assemble(
    settings: ExecutorSettings,
    bus: BusPorts,
    book: TradeBook,
    clock: Clock,
    patience: Patience | None = None,
    claims: ClaimKeeper | None = None,
    account: Account | None = None,
) -> SignalFollower:
    """Put a follower together over ``bus``; without ``claims`` none of its orders may be a real one.

    Without an ``account`` nothing is swept or reported: that is a run over the past.
    """
    return SignalFollower(
        feed=SignalFeed(
            bus.signals,
            clock,
            strategy_id=settings.strategy_id,
            timeframe=settings.timeframe,
            clock_skew=settings.rules.clock_skew,
            max_answer_age=settings.max_answer_age,
        ),
        signals=bus.signals,
        journal=bus.journal,
        gate=EntryGate(book, bus.journal, claims),
        bookkeeper=Bookkeeper(
            book,
            bus.journal,
            signals=bus.signals,
            ledger=bus.ledger,
            clock=clock,
            rules=settings.rules,
            claimed=claims or UNCLAIMED,
        ),
        book=book,
        pulse=Pulse(bus.heartbeats, settings.consumer_id, clock.now()),
        restraints=Restraints(
            bus.restraints,
            clock,
            strategy_id=settings.strategy_id,
            consumer_id=settings.consumer_id,
            settings=settings.restraints,
        ),
        rules=settings.rules,
        patience=patience or Patience(clock, settings.query_timeout),
        claims=claims,
        house=account.house if account is not None else None,
        sweep=_sweep(settings, bus, account),
        reports=_reports(bus, book, account),
    )


def _sweep(settings: ExecutorSettings, bus: BusPorts, account: Account | None) -> Sweep | None:
    if account is None or bus.sweeper is None:
        return None
    return Sweep(
        bus.sweeper,
        bus.journal,
        account.outbox,
        bus.ledger,
        strategy_id=settings.strategy_id,
        timeframe=settings.timeframe,
        rules=settings.rules,
    )


def _reports(bus: BusPorts, book: TradeBook, account: Account | None) -> Reports | None:
    if account is None or bus.books is None:
        return None
    return Reports(account.reporter, book, account.outbox, bus.books)


def _ports_of(connection: Connection, settings: ExecutorSettings, outbox: Outbox | None) -> BusPorts:
    return BusPorts(
        signals=MongoSignalReader(connection),
        restraints=MongoRestraintReader(connection),
        ledger=MongoExecutionReader(connection),
        journal=open_journal(connection, settings.consumer_id, outbox),
        heartbeats=MongoHeartbeatStore(connection),
        sweeper=MongoSignalSweeper(connection),
        books=MongoAccountBooks(connection),
    )
