"""What a reader remembers of the answers it had before."""

from datetime import UTC, datetime

import bson
import pytest

from quantbus_contracts.mongo import known_signals
from quantbus_contracts.mongo.documents import signal_row
from quantbus_contracts.mongo.known_signals import Known
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
    return bson.encode({"_id": pair, "row": row | {"version": version, "available_at": NOW} | changed})


def test_a_row_that_did_not_change_is_not_built_again() -> None:
    known = Known()
    first, _ = known.read([document(), document("ETH/USDT")])
    second, _ = known.read([document(), document("ETH/USDT", version=2)])
    assert second["BTC/USDT"] is first["BTC/USDT"]
    assert (first["ETH/USDT"].version, second["ETH/USDT"].version) == (1, 2)


def test_a_row_that_is_no_signal_hides_no_other() -> None:
    known = Known()
    for _ in range(2):
        signals, unreadable = known.read([document(score="high"), document("ETH/USDT")])
        assert set(signals) == {"ETH/USDT"}
        assert unreadable == ("BTC/USDT",)


def test_a_pair_that_is_not_in_the_answer_is_not_in_the_result() -> None:
    known = Known()
    known.read([document(), document("ETH/USDT")])
    signals, _ = known.read([document()])
    assert set(signals) == {"BTC/USDT"}


def test_no_more_is_kept_than_the_bound_allows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_signals, "_MOST_KNOWN", 3)
    known = Known()
    for version in range(1, 10):
        known.read([document(version=version), document("ETH/USDT", version=version)])
        assert len(known._by_document) <= 3
