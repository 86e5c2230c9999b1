"""All records in memory, and the one way in which they change for good.

A request changes records, `note`s them and `commit`s them together. If anything goes wrong in between, `reload`
takes back what was not committed.
"""

import sqlite3
from collections.abc import Iterator
from typing import TypeVar

from quantbus_contracts.errors import ConfigError
from quantbus_services.paper_exchange.accounts.journal import Journal, Row
from quantbus_services.paper_exchange.accounts.records import (
    Account,
    ApiKey,
    Board,
    Fill,
    Income,
    Order,
    Record,
)

__all__ = ["Ledger"]

_R = TypeVar("_R", bound=Record)
_CLOCK = ("clock", "settled")


class Ledger:
    """The accounts, their keys, orders, fills and incomes."""

    def __init__(self, journal: Journal) -> None:
        """Read what ``journal`` holds.

        Raises
        ------
        ConfigError
            If that are no records; the journal is closed then.
        """
        self._journal = journal
        try:
            self.reload()
        except (ValueError, KeyError, sqlite3.Error) as error:
            journal.close()
            raise ConfigError(
                f"--state: expected the records of a paper exchange, found others or broken ones "
                f"({str(error).splitlines()[0]}); take a copy of the file, or begin with another one"
            ) from None

    def reload(self) -> None:
        """Return to what was committed last."""
        self.accounts: dict[str, Account] = {}
        self.keys: dict[str, ApiKey] = {}
        self.orders: dict[int, Order] = {}
        self.fills: dict[int, Fill] = {}
        self.incomes: dict[int, Income] = {}
        self._by_client: dict[tuple[str, Board, str, bool], int] = {}
        self._fills_of: dict[int, list[Fill]] = {}
        self._open: dict[int, Order] = {}
        self._noted: dict[tuple[str, str], Record] = {}
        self.settled_ms = 0  # up to when the accounts have been brought
        for kind, key, body in self._journal.rows():
            if (kind, key) == _CLOCK:
                self.settled_ms = int(body)
            else:
                self._take(_RECORDS[kind].model_validate_json(body))
        self._last = max([*self.orders, *self.fills, *self.incomes, 1_000])

    def new_number(self) -> int:
        """Return a number that no order, fill or income has."""
        self._last += 1
        return self._last

    def note(self, record: _R) -> _R:
        """Remember that a record is new or changed."""
        self._noted[record.kind, record.key] = record
        self._take(record)
        return record

    def commit(self) -> None:
        """Write what was noted, all of it or nothing."""
        # A clock that ran on by itself is written along, but is no reason to write.
        if not self._noted:
            return
        rows: list[Row] = [
            (kind, key, record.model_dump_json()) for (kind, key), record in self._noted.items()
        ]
        self._journal.write([*rows, (*_CLOCK, str(self.settled_ms))])
        self._noted.clear()

    def close(self) -> None:
        """Let go of the state file."""
        self._journal.close()

    def open_orders(self, board: Board | None = None, symbol: str | None = None) -> list[Order]:
        """Return the orders that may still be filled, oldest first."""
        return [
            order
            for order in self._open.values()
            if (board is None or order.board == board) and (symbol is None or order.symbol == symbol)
        ]

    def orders_of(self, account: str, board: Board, symbol: str | None = None) -> Iterator[Order]:
        """Return the orders of an account, oldest first."""
        return (
            order
            for order in self.orders.values()
            if (order.account, order.board) == (account, board) and symbol in (None, order.symbol)
        )

    def by_client_id(
        self, account: str, board: Board, client_id: str, *, is_conditional: bool = False
    ) -> Order | None:
        """Return the newest order that a client gave this id; conditional orders have ids of their own."""
        number = self._by_client.get((account, board, client_id, is_conditional))
        return None if number is None else self.orders[number]

    def fills_of(self, order: Order) -> list[Fill]:
        """Return the fills of an order, oldest first."""
        return self._fills_of.get(order.number, [])

    def _take(self, record: Record) -> None:
        match record:
            case Order():
                self.orders[record.number] = record
                name = record.account, record.board, record.client_id, record.is_conditional
                self._by_client[name] = record.number
                if record.status.is_open:
                    self._open[record.number] = record
                else:
                    self._open.pop(record.number, None)
            case Fill():
                if record.number not in self.fills:
                    self._fills_of.setdefault(record.order, []).append(record)
                self.fills[record.number] = record
            case Income():
                self.incomes[record.number] = record
            case Account():
                self.accounts[record.name] = record
            case ApiKey():
                self.keys[record.api_key] = record


_RECORDS: dict[str, type[Record]] = {one.kind: one for one in (Account, ApiKey, Order, Fill, Income)}
