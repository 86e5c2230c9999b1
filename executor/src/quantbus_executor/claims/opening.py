"""Puts a bot's claims together: where its file is, what its account is called, and that nobody else trades it."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.ports import LeaseStore
from quantbus_executor.claims.keeper import ClaimKeeper
from quantbus_executor.claims.lease import AccountLease
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.claims.resolution import Patience, Resolver
from quantbus_executor.claims.venue import Venue
from quantbus_executor.settings import ExecutorSettings
from quantbus_executor.trades.book import TradeBook

__all__ = ["account_name", "claims_file", "open_claims"]

_SQLITE = "sqlite:///"


def claims_file(settings: ExecutorSettings, config: Mapping[str, Any]) -> Path:
    """Return where the claims of a bot are: as set, else beside Freqtrade's database, else in its user folder."""
    if settings.claims.file is not None:
        return settings.claims.file
    url = str(config.get("db_url") or "")
    name = url.removeprefix(_SQLITE).partition("?")[0]
    if url.startswith(_SQLITE) and name and name != ":memory:":
        database = Path(name)
        return database.with_name(f"{database.stem}.claims.sqlite")
    folder = Path(str(config.get("user_data_dir") or "user_data"))
    return folder / f"{settings.consumer_id}.claims.sqlite"


def open_claims(
    settings: ExecutorSettings,
    config: Mapping[str, Any],
    book: TradeBook,
    clock: Clock,
    *,
    venue: Venue | None = None,
    leases: LeaseStore | None = None,
) -> ClaimKeeper:
    """Return the claims of a bot: with ``venue`` and ``leases`` of one that trades an account, else of a dry run.

    Raises
    ------
    ConfigError
        If another bot has the file or trades the account, or the account has no name.
    """
    register = ClaimRegister(claims_file(settings, config))
    try:
        lease = None
        if venue is not None and leases is not None:
            lease = AccountLease(
                leases,
                clock,
                account=_account(settings, venue),
                consumer_id=settings.consumer_id,
                holder=register.identity,
                process=register.process,
            )
            lease.begin()
    except ConfigError:
        register.close()
        raise
    patience = Patience(settings.claims.settle_after, settings.claims.give_up_after)
    resolver = Resolver(register, book, clock, venue, patience)
    return ClaimKeeper(register, resolver, clock, venue=venue, lease=lease)


def account_name(settings: ExecutorSettings, venue: str, key: str | None) -> str | None:
    """Return what the account is called that one bot at a time may trade; None where nothing tells it from others."""
    if settings.claims.account is not None or not key:
        return settings.claims.account
    return f"{venue}-{hashlib.sha256(key.encode()).hexdigest()[:16]}"  # the key itself goes nowhere


def _account(settings: ExecutorSettings, venue: Venue) -> str:
    name = account_name(settings, *venue.key())
    if name is None:
        raise ConfigError(
            "expected an account to trade, found no key of the exchange: set exchange.key and exchange.secret, or "
            "external_signal.claims.account to what the account is to be called"
        )
    return name
