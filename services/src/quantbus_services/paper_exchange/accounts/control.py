"""Routes that open accounts and fill them: for programs on this machine, not part of any venue's API."""

import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.accounts.money import text
from quantbus_services.paper_exchange.accounts.office import Office
from quantbus_services.paper_exchange.accounts.records import Account, ApiKey
from quantbus_services.paper_exchange.accounts.registry import (
    AccountRequest,
    Deposit,
    KeyRequest,
    add_key,
    deposit,
    open_account,
)
from quantbus_services.paper_exchange.binance.queries import Refusal
from quantbus_services.paper_exchange.local_only import check_local
from quantbus_services.paper_exchange.rooms import Handler

__all__ = ["control_routes"]

_M = TypeVar("_M", bound=BaseModel)


def control_routes(office: Office) -> Mapping[tuple[str, str], Handler]:
    """Return the control routes of the accounts."""

    def told(now_ms: int) -> object:
        return [_account(office, account) for account in office.ledger.accounts.values()]

    async def accounts(request: Request, now_ms: int) -> object:
        check_local(request)
        return office.perform(now_ms, told)

    async def create(request: Request, now_ms: int) -> object:
        asked = await _asked(request, AccountRequest)

        def act(at_ms: int) -> object:
            if asked.name in office.ledger.accounts:
                raise Refusal(-1130, f"expected a new name, found that of an account: {asked.name!r}")
            keys = open_account(office.ledger, asked, at_ms)
            return {"name": asked.name, "keys": [_key(key, with_secret=True) for key in keys]}

        return office.perform(now_ms, _refusing(act))

    async def create_key(request: Request, now_ms: int) -> object:
        asked = await _asked(request, KeyRequest)

        def act(at_ms: int) -> object:
            account = office.ledger.accounts.get(asked.account)
            if account is None:
                raise Refusal(-1130, f"expected an account, found {asked.account!r}")
            return _key(add_key(office.ledger, account, asked, at_ms), with_secret=True)

        return office.perform(now_ms, _refusing(act))

    async def pay_in(request: Request, now_ms: int) -> object:
        asked = await _asked(request, Deposit)
        return office.perform(now_ms, _refusing(lambda _: _account(office, deposit(office.ledger, asked))))

    return {
        ("GET", "/paper/accounts"): accounts,
        ("POST", "/paper/accounts"): create,
        ("POST", "/paper/keys"): create_key,
        ("POST", "/paper/deposits"): pay_in,
    }


def _account(office: Office, account: Account) -> dict[str, Any]:
    return {
        "name": account.name,
        "spot": {
            asset: {"free": text(balance.free), "locked": text(balance.locked)}
            for asset, balance in sorted(account.spot.items())
            if balance.total
        },
        "futures": {asset: text(amount) for asset, amount in sorted(account.wallet.items())},
        "positions": {f"{one.symbol}:{one.side}": text(one.amount) for one in account.held()},
        "open_orders": sum(one.account == account.name for one in office.ledger.open_orders()),
        "keys": [
            _key(key, with_secret=False) for key in office.ledger.keys.values() if key.account == account.name
        ],
    }


def _key(key: ApiKey, *, with_secret: bool) -> dict[str, Any]:
    told = key.model_dump(include={"api_key", "can_trade", "can_withdraw", "can_use_futures"})
    return told | ({"secret": key.secret} if with_secret else {})


def _refusing(act: Callable[[int], object]) -> Callable[[int], object]:
    def refusing(at_ms: int) -> object:
        try:
            return act(at_ms)
        except ConfigError as error:
            raise Refusal(-1130, str(error)) from None

    return refusing


async def _asked(request: Request, model: type[_M]) -> _M:
    check_local(request)
    try:
        return model.model_validate(json.loads(await request.body() or b"{}"))
    except ValidationError as error:
        detail = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in detail["loc"])
        raise Refusal(-1130, f"{where}: {detail['msg']}") from None
    except ValueError:
        raise Refusal(-1130, "expected a JSON object") from None
