"""The newest evaluation of every declared strategy, by one question."""

from pydantic import ValidationError

from quantbus_contracts.mongo.client import AsyncConnection
from quantbus_contracts.mongo.steps import Row, Steps, aggregate
from quantbus_contracts.schema import PublishRun

__all__ = ["AsyncLastRuns"]

_DECLARATIONS, _RUNS = "strategies", "publish_runs"


def last_runs_pipeline() -> list[Row]:
    """Return the pipeline; each declaration costs one step in the index of the runs."""
    return [
        {
            "$lookup": {
                "from": _RUNS,
                "let": {"strategy": "$strategy_id", "timeframe": "$timeframe"},
                "pipeline": [
                    {
                        "$match": {
                            "$expr": {
                                "$and": [
                                    {"$eq": ["$strategy_id", "$$strategy"]},
                                    {"$eq": ["$timeframe", "$$timeframe"]},
                                ]
                            }
                        }
                    },
                    {"$sort": {"strategy_id": -1, "timeframe": -1, "ts": -1}},
                    {"$limit": 1},
                    {"$unset": "_id"},
                ],
                "as": "run",
            }
        },
        {"$unwind": "$run"},
        {"$replaceWith": "$run"},
    ]


def _last_runs() -> Steps[dict[str, PublishRun]]:
    rows = yield aggregate(_DECLARATIONS, last_runs_pipeline())
    runs = {}
    for row in rows:
        # One malformed row (written past the validators) must not hide the others.
        try:
            runs[str(row["strategy_id"])] = PublishRun(**row)
        except (ValidationError, TypeError):
            continue
    return runs


class AsyncLastRuns:
    """Reads ``publish_runs`` for whoever watches all strategies."""

    def __init__(self, connection: AsyncConnection) -> None:
        """Read over ``connection``."""
        self._connection = connection

    async def all(self) -> dict[str, PublishRun]:
        """Return the newest run of each declared strategy at its declared timeframe, by strategy id."""
        return await self._connection.run(_last_runs())
