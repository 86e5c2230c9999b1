"""What a reader remembers of the answers it had before."""

from datetime import UTC, datetime

import bson
import pytest

from quantbus_contracts.mongo import signal_reader
from quantbus_contracts.mongo.documents import signal_row
from quantbus_contracts.mongo.signal_reader import Known
from quantbus_contracts.testing import make_signal

NOW = datetime(2026, 1, 5, 12, 1, tzinfo=UTC)


def document(pair: str = "BTC/USDT", *, version: int = 1, **changed: object) -> bytes:
    """Return a pair's newest signal as the server sends it."""
    signal = make_signal(pair=pair)
    row = signal_row(
        signal,
        signal_id=signal.signal_id,
        content_hash=signal.content_hash,
        valid_until=NOW,
        publisher="test",
        batch_id="b",
    )
    return bson.encode({"_id": pair, "newest": row | {"version": version, "available_at": NOW} | changed})


def test_a_row_that_did_not_change_is_not_built_again() -> None:
    known = Known()
    first = known.signals([document(), document("ETH/USDT")])
    second = known.signals([document(), document("ETH/USDT", version=2)])
    assert second["BTC/USDT"] is first["BTC/USDT"]
    assert (first["ETH/USDT"].version, second["ETH/USDT"].version) == (1, 2)


def test_a_row_that_is_no_signal_hides_no_other() -> None:
    known = Known()
    for _ in range(2):
        assert set(known.signals([document(score="high"), document("ETH/USDT")])) == {"ETH/USDT"}


def test_a_pair_that_is_not_in_the_answer_is_not_in_the_result() -> None:
    known = Known()
    known.signals([document(), document("ETH/USDT")])
    assert set(known.signals([document()])) == {"BTC/USDT"}


def test_no_more_is_kept_than_the_bound_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signal_reader, "_MOST_KNOWN", 3)
    known = Known()
    for version in range(1, 10):
        known.signals([document(version=version), document("ETH/USDT", version=version)])
        assert len(known._by_document) <= 3
