"""The strategy file's view of Freqtrade's trades, over Freqtrade's own tables."""

import importlib.util
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(200)]

FILE = Path(__file__).resolve().parents[2] / "executor/user_data/strategies/ExternalSignalStrategy.py"
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def book(tmp_path: Path) -> Any:
    from freqtrade.persistence import Trade, init_db

    init_db(f"sqlite:///{tmp_path / 'trades.sqlite'}")
    spec = importlib.util.spec_from_file_location("ExternalSignalStrategy", FILE)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for pair, opened, closed in (
        ("BTC/USDT", 9, 8),
        ("BTC/USDT", 3, 2),
        ("BTC/USDT", 1, None),
        ("ETH/USDT", 2, 1),
    ):
        trade = Trade(
            pair=pair,
            exchange="binance",
            stake_amount=10.0,
            amount=1.0,
            open_rate=10.0,
            fee_open=0.0,
            fee_close=0.0,
            is_open=closed is None,
            open_date=NOW - opened * HOUR,
            close_date=NOW - closed * HOUR if closed is not None else None,
        )
        Trade.session.add(trade)
    Trade.commit()
    yield module.FreqtradeBook()
    Trade.session.remove()


def test_the_past_of_a_pair_is_what_was_closed_in_it_since(book: Any) -> None:
    (last,) = book.closed_since("BTC/USDT", NOW - 5 * HOUR)
    assert (last.open_date_utc, last.close_date_utc) == (NOW - 3 * HOUR, NOW - 2 * HOUR)
    assert len(book.closed_since("BTC/USDT", NOW - 10 * HOUR)) == 2
    assert book.closed_since("BTC/USDT", NOW - HOUR) == []
    assert [trade.pair for trade in book.open_trades()] == ["BTC/USDT"]
    assert book.open_trades()[0].close_date_utc is None
