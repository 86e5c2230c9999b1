"""What venues answer about funding, marks, open interest and books, and what becomes of it."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.schema import DepthSnapshot, FundingRate, MarkPrice, OpenInterest
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.observations import Contract, Parsed, reduce_book
from quantbus_services.ingestion.observations.parse import (
    funding_rates,
    mark_history,
    mark_prices,
    open_interest,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
BTC = Instrument.from_pair("BINANCE", "BTC/USDT:USDT")
HOUR = Timeframe.parse("1h")


def ms(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def reasons(parsed: Parsed) -> list[str]:
    return [item.reason for item in parsed.rejections]


class TestFunding:
    def read(self, *rows: dict[str, Any]) -> Parsed:
        return funding_rates(rows, BTC, now=NOW, source="test")

    @pytest.mark.parametrize("late", [0, 7, 14, -3])
    def test_a_settlement_is_named_by_its_minute(self, late: int) -> None:
        parsed = self.read({"timestamp": ms(NOW) + late, "fundingRate": 0.0001})
        assert [item.at for item in parsed.observations] == [NOW]

    @pytest.mark.parametrize(
        ("row", "reason"),
        [
            ({"timestamp": None, "fundingRate": 0.1}, "expected a time in milliseconds, found None"),
            ({"timestamp": ms(NOW)}, "expected fundingRate, found none"),
            (
                {"timestamp": ms(NOW), "fundingRate": "high"},
                "expected a number for fundingRate, found 'high'",
            ),
            ({"timestamp": ms(NOW), "fundingRate": 2.0}, "Input should be less than or equal to 1"),
            ({"timestamp": ms(NOW), "fundingRate": float("nan")}, "Input should be a finite number"),
        ],
    )
    def test_a_bad_row_is_refused_with_its_reason_and_the_rest_goes_on(
        self, row: dict[str, Any], reason: str
    ) -> None:
        good = {"timestamp": ms(NOW - timedelta(hours=8)), "fundingRate": -0.0001}
        parsed = self.read(row, good)
        assert (len(parsed.observations), reasons(parsed)) == (1, [reason])

    def test_the_future_is_refused(self) -> None:
        parsed = self.read({"timestamp": ms(NOW + timedelta(hours=8)), "fundingRate": 0.0})
        assert reasons(parsed)[0].startswith("in the future")


class TestMarks:
    def test_mark_index_and_estimate_come_from_one_answer(self) -> None:
        row = {
            "symbol": BTC.pair,
            "timestamp": ms(NOW) - 250,
            "markPrice": 101.0,
            "indexPrice": 100.0,
            "fundingRate": 0.0002,
            "fundingTimestamp": ms(NOW + timedelta(hours=4)),
        }
        parsed = mark_prices([row, {"symbol": "ETH/USDT:USDT"}], {BTC.pair: BTC}, now=NOW, source="test")
        assert parsed.observations == (
            MarkPrice(
                symbol=BTC.symbol,
                at=NOW - timedelta(milliseconds=250),
                source="test",
                mark=101.0,
                index=100.0,
                funding_rate=0.0002,
                next_funding_at=NOW + timedelta(hours=4),
            ),
        )

    def test_an_index_of_zero_is_no_index(self) -> None:
        row = {"symbol": BTC.pair, "timestamp": None, "markPrice": 101.0, "indexPrice": 0}
        (found,) = mark_prices([row], {BTC.pair: BTC}, now=NOW, source="test").observations
        assert isinstance(found, MarkPrice)
        assert (found.index, found.at) == (None, NOW)

    def test_history_stands_at_the_close_and_joins_only_candles_of_one_instant(self) -> None:
        opened = [ms(NOW - timedelta(hours=hours)) for hours in (3, 2, 1, 0)]
        marks = [[at, 1.0, 1.0, 1.0, 101.0 + n, None] for n, at in enumerate(opened)]
        indices = [[opened[0], 1.0, 1.0, 1.0, 100.0, None], [opened[2], 1.0, 1.0, 1.0, 100.0, None]]
        parsed = mark_history(marks, indices, BTC, HOUR, now=NOW, source="test")
        found = [
            (item.at, item.mark, item.index) for item in parsed.observations if isinstance(item, MarkPrice)
        ]
        assert found == [
            (NOW - timedelta(hours=2), 101.0, 100.0),
            (NOW - timedelta(hours=1), 102.0, None),
            (NOW, 103.0, 100.0),
        ]  # the last candle still forms

    def test_garbage_is_refused(self) -> None:
        parsed = mark_history([[None, None]], [], BTC, HOUR, now=NOW, source="test")
        assert (parsed.observations, len(parsed.rejections)) == ((), 1)


class TestOpenInterest:
    @pytest.mark.parametrize(
        ("row", "contract", "amount", "value"),
        [
            ({"openInterestAmount": 5.0}, Contract(), 5.0, None),
            ({"openInterestAmount": 500.0}, Contract(size=0.01), 5.0, None),
            ({"openInterestAmount": 500.0, "baseVolume": 4.9}, Contract(size=0.01), 4.9, None),
            ({"openInterestAmount": 7.0}, Contract(size=100.0, is_inverse=True), None, 700.0),
            ({"openInterestAmount": 5.0, "openInterestValue": 9.0}, Contract(), 5.0, 9.0),
        ],
    )
    def test_contracts_become_currency(
        self, row: dict[str, float], contract: Contract, amount: float | None, value: float | None
    ) -> None:
        (found,) = open_interest(
            [{"timestamp": ms(NOW), **row}], BTC, contract, now=NOW, source="test"
        ).observations
        assert isinstance(found, OpenInterest)
        assert (found.amount, found.value) == (amount, value)


class TestBooks:
    def reduce(
        self,
        bids: list[list[Any]],
        asks: list[list[Any]],
        *,
        asked: int = 100,
        contract: Contract | None = None,
    ) -> Parsed:
        return reduce_book(
            bids, asks, symbol=BTC.symbol, at=NOW, source="test", asked=asked, contract=contract
        )

    def snapshot(self, parsed: Parsed) -> DepthSnapshot:
        assert not parsed.rejections
        (found,) = parsed.observations
        assert isinstance(found, DepthSnapshot)
        return found

    def test_depth_is_the_worth_within_a_distance_of_the_mid(self) -> None:
        book = self.snapshot(self.reduce([[99.95, 3.0], [99.0, 10.0]], [[100.05, 1.0], [101.0, 10.0]]))
        assert (book.mid, book.spread, book.spread_bps) == pytest.approx((100.0, 0.1, 10.0))
        near, far = book.level("10bps"), book.level("100bps")
        assert near is not None
        assert far is not None
        assert (near.bid, near.ask) == pytest.approx((299.85, 100.05))
        assert near.imbalance == pytest.approx((299.85 - 100.05) / (299.85 + 100.05))
        assert (far.bid, far.ask) == pytest.approx((1289.85, 1110.05))

    def test_what_the_answer_does_not_reach_is_left_out_not_zero(self) -> None:
        bids, asks = [[99.9, 1.0], [99.8, 1.0]], [[100.1, 1.0], [100.2, 1.0]]
        cut = self.snapshot(self.reduce(bids, asks, asked=2))
        assert [level.within for level in cut.levels] == ["10bps"]
        whole = self.snapshot(self.reduce(bids, asks, asked=3))
        assert [level.within for level in whole.levels] == [
            *("10bps", "25bps", "50bps", "100bps"),
            *("top5", "top10", "top20"),
        ]

    def test_contracts_are_counted_by_what_they_stand_for(self) -> None:
        bids, asks = [[100.0, 2.0]], [[100.0, 1.0]]
        linear = self.snapshot(self.reduce(bids, asks, contract=Contract(size=0.1))).level("top5")
        inverse = self.snapshot(self.reduce(bids, asks, contract=Contract(10.0, is_inverse=True))).level(
            "top5"
        )
        assert linear is not None
        assert inverse is not None
        assert (linear.bid, linear.ask) == pytest.approx((20.0, 10.0))
        assert (inverse.bid, inverse.ask) == (20.0, 10.0)

    @pytest.mark.parametrize(
        ("bids", "asks", "reason"),
        [
            ([], [[100.0, 1.0]], "expected both sides"),
            ([[101.0, 1.0]], [[100.0, 1.0]], "crossed"),
            ([[float("nan"), 1.0]], [[100.0, 1.0]], "expected a price and an amount"),
            ([[99.0, -1.0]], [[100.0, 1.0]], "expected a price and an amount"),
            ([[99.0]], [[100.0, 1.0]], "index"),
            ([["<html>", 1.0]], [[100.0, 1.0]], "could not convert"),
            ([[99.0, 0.0]], [[100.0, 1.0]], "expected both sides"),
        ],
    )
    def test_what_is_no_book_is_refused(
        self, bids: list[list[Any]], asks: list[list[Any]], reason: str
    ) -> None:
        parsed = self.reduce(bids, asks)
        assert parsed.observations == ()
        assert reason in reasons(parsed)[0]

    side = st.lists(st.tuples(st.integers(1, 300), st.floats(0.001, 1e6)), min_size=1, max_size=40)

    @given(below=side, above=side, asked=st.integers(1, 60))
    def test_depth_only_grows_with_distance_and_imbalance_is_a_share(
        self, below: list[tuple[int, float]], above: list[tuple[int, float]], asked: int
    ) -> None:
        bids: list[list[Any]] = [[10_000.0 - step, amount] for step, amount in below]
        asks: list[list[Any]] = [[10_000.0 + step, amount] for step, amount in above]
        book = self.snapshot(self.reduce(bids, asks, asked=asked))
        for family in ("bps", "top"):
            levels = [level for level in book.levels if family in level.within]
            assert all(-1 <= level.imbalance <= 1 for level in levels)
            for nearer, farther in pairwise(levels):
                assert nearer.bid <= farther.bid
                assert nearer.ask <= farther.ask


def test_parsed_answers_add_up() -> None:
    rate = FundingRate(symbol=BTC.symbol, at=NOW, source="test", rate=0.0)
    assert (Parsed((rate,)) + Parsed((rate,))).observations == (rate, rate)
