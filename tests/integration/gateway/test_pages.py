"""What a page costs the database."""

from datetime import timedelta

import pytest

from quantbus_contracts import SignalBus, Timeframe
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.signal_pages import PageQuery, latest_pipeline
from quantbus_contracts.testing import make_signal

pytestmark = pytest.mark.integration
PAIRS, BARS = 40, 20


def keys_examined(explained: object) -> int:
    """Return the most index keys that any part of the plan looked at."""
    if isinstance(explained, dict):
        own = int(explained.get("totalKeysExamined", 0))
        return max([own, *map(keys_examined, explained.values())])
    return max(map(keys_examined, explained), default=0) if isinstance(explained, list) else 0


def test_the_newest_of_each_pair_is_found_without_reading_the_others(connection: Connection) -> None:
    start = make_signal().ts
    signals = [
        make_signal(pair=f"C{pair:02}/USDT", ts=start + timedelta(minutes=bar))
        for pair in range(PAIRS)
        for bar in range(BARS)
    ]
    assert SignalBus(connection).publish(signals).ok
    database = connection.client[connection.names.of("crypto_signals")]
    query = PageQuery(strategy_id="test", timeframe=Timeframe.parse("1m"), limit=1_000)
    explained = database.command(
        "explain",
        {"aggregate": "crypto_signals", "pipeline": latest_pipeline(query), "cursor": {}},
        verbosity="executionStats",
    )
    assert 0 < keys_examined(explained) <= 2 * PAIRS + 2, keys_examined(explained)
