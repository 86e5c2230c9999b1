"""The accounts as a room of the exchange: signed routes, control routes, and the state behind them."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from starlette.requests import Request
from starlette.types import ASGIApp

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.accounts import futures_orders, futures_routes, spot_routes
from quantbus_services.paper_exchange.accounts.control import control_routes
from quantbus_services.paper_exchange.accounts.journal import FileJournal, MemoryJournal
from quantbus_services.paper_exchange.accounts.ledger import Ledger
from quantbus_services.paper_exchange.accounts.office import Call, Office
from quantbus_services.paper_exchange.accounts.ports import NoFaults, OrderFaults
from quantbus_services.paper_exchange.accounts.registry import open_account, read_accounts
from quantbus_services.paper_exchange.accounts.rights import Answer, Signed, check_right
from quantbus_services.paper_exchange.accounts.signing import KEY_HEADER, SignedRequest, verified
from quantbus_services.paper_exchange.rooms import Handler
from quantbus_services.paper_exchange.venue import Venue

__all__ = ["AccountsRoom"]

_SIGNED: Mapping[tuple[str, str], Signed] = (
    dict(spot_routes.ROUTES) | dict(futures_routes.ROUTES) | dict(futures_orders.ROUTES)
)


_MOST_AHEAD_MS = 3_600_000
"""By how much accounts may be ahead of the clock: a clock that jumped by minutes is caught up with."""


class AccountsRoom:
    """Accounts that live in a file, or else as long as the process."""

    def __init__(
        self,
        venue: Venue,
        *,
        account_file: Path | None = None,
        state: Path | None = None,
        faults: OrderFaults | None = None,
    ) -> None:
        """Open the state, and the accounts of the file that it does not know yet.

        Raises
        ------
        ConfigError
            If a file cannot be used.
        """
        requests = [] if account_file is None else read_accounts(account_file)
        ledger = Ledger(MemoryJournal() if state is None else FileJournal(state))
        self.office = Office(ledger, spot=venue.spot, futures=venue.futures, faults=faults or NoFaults())
        try:
            _check_time(ledger, venue.now_ms())
            for request in requests:
                open_account(ledger, request, venue.now_ms())
            ledger.commit()
        except ConfigError:
            ledger.close()
            raise
        self.routes: Mapping[tuple[str, str], Handler] = {
            **{where: partial(self._answer, route) for where, route in _SIGNED.items()},
            **control_routes(self.office),
        }

    def wrap(self, app: ASGIApp) -> ASGIApp:
        """Stand before nothing."""
        return app

    def close(self) -> None:
        """Let go of the state file."""
        self.office.ledger.close()

    async def _answer(self, route: Signed, request: Request, now_ms: int) -> object:
        path = request.url.path
        signed = SignedRequest(
            method=request.method,
            path=path,
            query=request.url.query,
            body=(await request.body()).decode("utf-8", "replace"),
            api_key=request.headers.get(KEY_HEADER, ""),
        )
        key, fields = verified(signed, self.office.ledger.keys, now_ms)
        check_right(key, route, path)

        def act(at_ms: int) -> object:
            account = self.office.ledger.accounts[key.account]
            return route.answer(self.office, Call(account, key, fields, at_ms))

        answer = self.office.perform(now_ms, act)
        if not isinstance(answer, Answer):
            return answer
        if answer.lost is not None:
            raise answer.lost
        return answer.content


def _check_time(ledger: Ledger, now_ms: int) -> None:
    """Refuse accounts out of the future: their orders would be filled at prices that nobody can see yet."""
    if ledger.settled_ms > now_ms + _MOST_AHEAD_MS:
        there, now = (datetime.fromtimestamp(at / 1000, tz=UTC) for at in (ledger.settled_ms, now_ms))
        raise ConfigError(
            f"--state: expected accounts that are not ahead of the exchange's clock, found them at "
            f"{there:%Y-%m-%d %H:%M:%S} while it shows {now:%Y-%m-%d %H:%M:%S}; keep its place with "
            "--anchor-file, or take another state file"
        )
