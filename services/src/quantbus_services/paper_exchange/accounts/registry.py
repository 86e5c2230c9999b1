"""Opening accounts: what a file or a control request may say of an account and its keys."""

import json
import secrets
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.records import Account, ApiKey, Balance, Board, Rates

__all__ = ["AccountRequest", "Deposit", "KeyRequest", "add_key", "deposit", "open_account", "read_accounts"]

_NAME = r"^[A-Za-z0-9_.-]{1,64}$"
_ASSET = r"^[A-Z0-9]{1,20}$"
_FIRST_NUMBER = 1001
_MOST = 10**12
_Asset = Annotated[str, Field(pattern=_ASSET)]
_Money = Annotated[Decimal, Field(ge=0, le=_MOST, decimal_places=8)]


class _Asked(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KeyRequest(_Asked):
    """A key to make; both halves are drawn at random unless they are given."""

    account: str = Field("", pattern=r"^$|" + _NAME)
    api_key: str | None = Field(None, min_length=8, max_length=128, pattern=r"^[A-Za-z0-9_-]+$")
    secret: str | None = Field(None, min_length=8, max_length=128)
    can_trade: bool = True
    can_withdraw: bool = False
    can_use_futures: bool = True


class AccountRequest(_Asked):
    """An account to open, with what it starts with and at least one key."""

    name: str = Field(pattern=_NAME)
    spot: dict[_Asset, _Money] = Field(default_factory=dict)
    futures: dict[_Asset, _Money] = Field(default_factory=dict)
    spot_rates: Rates | None = None
    futures_rates: Rates | None = None
    keys: tuple[KeyRequest, ...] = (KeyRequest(),)


class Deposit(_Asked):
    """Paper money for an account."""

    account: str
    board: Board
    asset: _Asset
    amount: Decimal = Field(gt=0, le=_MOST, decimal_places=8)


def read_accounts(path: Path) -> list[AccountRequest]:
    """Read the accounts of a file: a JSON list.

    Raises
    ------
    ConfigError
        If it cannot be read or says something else.
    """
    try:
        return TypeAdapter(list[AccountRequest]).validate_python(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"--account-file: expected a JSON list of accounts in {str(path)!r}, found: {_first(error)}"
        ) from None


def open_account(ledger: Ledger, request: AccountRequest, now_ms: int) -> list[ApiKey]:
    """Open an account and return its keys; one that the state file holds keeps what it has.

    Raises
    ------
    ConfigError
        If a key belongs to another account; nothing is opened or changed then.
    """
    for key in request.keys:
        _check_owner(ledger, request.name, key)
    account = ledger.accounts.get(request.name)
    if account is None:
        number = max([one.number for one in ledger.accounts.values()], default=_FIRST_NUMBER - 1) + 1
        account = ledger.note(Account(name=request.name, number=number, updated_ms=now_ms))
        account.spot = {asset: Balance(free=amount) for asset, amount in request.spot.items()}
        account.wallet = dict(request.futures)
    if request.spot_rates is not None:
        account.spot_rates = request.spot_rates
    if request.futures_rates is not None:
        account.futures_rates = request.futures_rates
    ledger.note(account)
    return [add_key(ledger, account, key, now_ms) for key in request.keys]


def add_key(ledger: Ledger, account: Account, request: KeyRequest, now_ms: int) -> ApiKey:
    """Make a key, or change what a known one may do.

    Raises
    ------
    ConfigError
        If it belongs to another account.
    """
    known = _check_owner(ledger, account.name, request)
    return ledger.note(
        ApiKey(
            api_key=request.api_key or secrets.token_hex(32),
            secret=request.secret or secrets.token_hex(32),
            account=account.name,
            can_trade=request.can_trade,
            can_withdraw=request.can_withdraw,
            can_use_futures=request.can_use_futures,
            created_ms=now_ms if known is None else known.created_ms,
        )
    )


def _check_owner(ledger: Ledger, account: str, request: KeyRequest) -> ApiKey | None:
    """Return the key as it is known, if it is."""
    known = ledger.keys.get(request.api_key or "")
    if known is not None and known.account != account:
        raise ConfigError(f"expected a key of {account!r}, found one of {known.account!r}: {known.api_key!r}")
    return known


def deposit(ledger: Ledger, request: Deposit) -> Account:
    """Give an account paper money.

    Raises
    ------
    ConfigError
        If there is no such account.
    """
    account = ledger.accounts.get(request.account)
    if account is None:
        known = ", ".join(ledger.accounts) or "none"
        raise ConfigError(f"expected one of the accounts ({known}), found {request.account!r}")
    if request.board == "spot":
        account.balance(request.asset).free += request.amount
    else:
        account.wallet[request.asset] = account.wallet.get(request.asset, Decimal(0)) + request.amount
    return ledger.note(account)


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        detail = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(str(part) for part in detail['loc'])}: {detail['msg']}"
    return str(error)
