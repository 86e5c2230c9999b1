"""Writes the ledger. Only the executor's journal imports this module."""

from collections.abc import Sequence

from quantbus_contracts.mongo._keyed import replace_rows
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.documents import execution_row
from quantbus_contracts.mongo.steps import Steps
from quantbus_contracts.schema import Execution

__all__ = ["ExecutionWriter"]


def _record(executions: Sequence[Execution]) -> Steps[None]:
    rows = {execution.key: execution_row(execution) for execution in executions}
    yield from replace_rows("executions", list(rows.values()))


class ExecutionWriter:
    """Writes ledger rows, synchronously: Freqtrade's strategy is synchronous and nobody else writes them."""

    def __init__(self, connection: Connection) -> None:
        """Write over ``connection``."""
        self._connection = connection

    def record(self, executions: Sequence[Execution]) -> None:
        """Store the newest state of each row; of twins the last counts."""
        self._connection.run(_record(executions))
