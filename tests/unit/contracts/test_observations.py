"""What counts as an observation, a listing, a change, a universe."""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from quantbus_contracts.schema import (
    OBSERVATIONS,
    DepthLevel,
    DepthSnapshot,
    FundingRate,
    MarketChange,
    MarkPrice,
    OpenInterest,
    Universe,
    UniverseMember,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
PERP = "BINANCE:BTCUSDT.P"
WHO = {"symbol": PERP, "at": NOON, "source": "test"}


def test_kinds_are_named_once_and_stored_apart() -> None:
    assert list(OBSERVATIONS) == ["funding", "mark", "open-interest", "depth"]
    assert len({model.collection for model in OBSERVATIONS.values()}) == len(OBSERVATIONS)


@pytest.mark.parametrize("rate", [float("nan"), float("inf"), 1.5, -1.5])
def test_a_funding_rate_is_a_share(rate: float) -> None:
    with pytest.raises(ValidationError):
        FundingRate(**WHO, rate=rate)


def test_a_settlement_stands_at_a_full_minute() -> None:
    with pytest.raises(ValidationError, match="full minute"):
        FundingRate(symbol=PERP, at=NOON + timedelta(milliseconds=7), source="test", rate=0.0)


def test_the_premium_is_of_one_answer_or_not_known() -> None:
    assert MarkPrice(**WHO, mark=101.0, index=100.0).premium_bps == pytest.approx(100.0)
    assert MarkPrice(**WHO, mark=101.0).premium is None


def test_open_interest_says_something() -> None:
    with pytest.raises(ValidationError, match="found neither"):
        OpenInterest(**WHO)


def test_a_crossed_book_is_no_book() -> None:
    prices = {"mid": 100.0, "spread": 0.0, "spread_bps": 0.0}
    with pytest.raises(ValidationError, match="crossed"):
        DepthSnapshot(**WHO, bid=101.0, ask=100.0, **prices)
    twice = (DepthLevel(within="top5", bid=1.0, ask=1.0, imbalance=0.0),) * 2
    with pytest.raises(ValidationError, match="once"):
        DepthSnapshot(**WHO, bid=100.0, ask=100.0, levels=twice, **prices)


@pytest.mark.parametrize(
    ("field", "old", "new", "event"),
    [
        ("status", None, "trading", "listed"),
        ("status", "trading", "delisted", "delisted"),
        ("status", "delisted", "trading", "relisted"),
        ("status", "trading", "halted", "changed"),
        ("tick_size", "0.1", "0.01", "changed"),
        ("renamed_to", None, "BINANCE:POLUSDT", "renamed"),
    ],
)
def test_a_change_has_one_word_for_what_happened(
    field: str, old: str | None, new: str | None, event: str
) -> None:
    assert MarketChange(symbol=PERP, at=NOON, field=field, old=old, new=new).event == event


def test_a_universe_names_each_symbol_once_and_is_not_empty() -> None:
    member = UniverseMember(symbol=PERP)
    with pytest.raises(ValidationError, match="once"):
        Universe(name="top", as_of=NOON, method="file", members=(member, member))
    with pytest.raises(ValidationError):
        Universe(name="top", as_of=NOON, method="file", members=())
