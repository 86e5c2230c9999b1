"""Which symbols make a universe."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ConfigError, ContractError, UnknownInstrument
from quantbus_contracts.symbols import Instrument, InstrumentCatalogue
from quantbus_services.ingestion.universe import Choice, rank, read_members, ticker_turnovers
from quantbus_services.ingestion.universe.main import Dates, moments

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


def market(pair: str) -> Instrument:
    return Instrument.from_pair("BINANCE", pair)


BTC, ETH, USDC, SWAP = map(market, ("BTC/USDT", "ETH/USDT", "USDC/USDT", "BTC/USDT:USDT"))
KNOWN = InstrumentCatalogue([BTC, ETH, USDC, SWAP])


class TestRanking:
    def test_the_greatest_turnover_comes_first_and_only_the_wanted_kind(self) -> None:
        turnovers = {BTC: 5.0, ETH: 7.0, USDC: 9.0, SWAP: 99.0, market("BTC/EUR"): 98.0}
        members = rank(turnovers, Choice(2, exclude={"USDC"}))
        assert [(item.symbol, item.quote_volume) for item in members] == [
            ("BINANCE:ETHUSDT", 7.0),
            ("BINANCE:BTCUSDT", 5.0),
        ]
        assert [item.symbol for item in rank(turnovers, Choice(1, "swap"))] == ["BINANCE:BTCUSDT.P"]
        assert rank(turnovers, Choice(1, quote=None))[0].symbol == "BINANCE:BTCEUR"

    def test_contracts_settled_in_their_base_are_not_compared(self) -> None:
        assert not Choice(1, "swap", None).admits(market("BTC/USD:BTC"))

    def test_what_did_not_trade_is_out(self) -> None:
        with pytest.raises(ConfigError, match="found none among 2"):
            rank({BTC: 0.0, ETH: float("nan")}, Choice(5))

    @given(volumes=st.permutations([1.0, 2.0, 2.0, 3.0]))
    def test_the_same_data_give_the_same_list(self, volumes: list[float]) -> None:
        markets = [market(f"{name}/USDT") for name in "ABCD"]
        turnovers = dict(zip(markets, volumes, strict=True))
        again = dict(reversed(turnovers.items()))
        members = rank(turnovers, Choice(9))
        assert members == rank(again, Choice(9))
        assert [item.quote_volume for item in members] == [3.0, 2.0, 2.0, 1.0]


def test_tickers_tell_the_turnover_or_what_it_is_made_of() -> None:
    tickers: dict[str, dict[str, Any]] = {
        "BTC/USDT": {"quoteVolume": 10.0, "baseVolume": 1.0, "last": 99.0},
        "ETH/USDT": {"quoteVolume": None, "baseVolume": 2.0, "vwap": 3.0, "last": 4.0},
        "USDC/USDT": {"quoteVolume": None, "baseVolume": 2.0},
        "NEW/USDT": {"quoteVolume": 1.0},
    }
    assert ticker_turnovers(tickers, KNOWN) == {BTC: 10.0, ETH: 6.0}


class TestFiles:
    @pytest.mark.parametrize(
        ("name", "text"),
        [
            ("a.txt", "# mine\nBTC/USDT  # big\n\nBINANCE:ETHUSDT\nBTC/USDT\n"),
            ("a.csv", "symbol,quote_volume\nBTC/USDT,\nBINANCE:ETHUSDT,\n"),
            ("a.json", '["BTC/USDT", {"symbol": "ETH/USDT"}]'),
        ],
    )
    def test_names_are_resolved_in_their_order(self, tmp_path: Path, name: str, text: str) -> None:
        (tmp_path / name).write_text(text)
        members = read_members(tmp_path / name, KNOWN, "BINANCE")
        assert [item.symbol for item in members] == ["BINANCE:BTCUSDT", "BINANCE:ETHUSDT"]

    def test_volumes_come_along(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("Symbol,Quote_Volume\nBTC/USDT,12.5\n")
        (member,) = read_members(tmp_path / "a.csv", KNOWN, "BINANCE")
        assert member.quote_volume == 12.5

    def test_an_unknown_name_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a.txt").write_text("BTCC/USDT\n")
        with pytest.raises(UnknownInstrument):
            read_members(tmp_path / "a.txt", KNOWN, "BINANCE")

    @pytest.mark.parametrize("text", ["", "# nothing\n"])
    def test_a_file_without_names_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "a.txt").write_text(text)
        with pytest.raises(ContractError, match="found none"):
            read_members(tmp_path / "a.txt", KNOWN, "BINANCE")

    @pytest.mark.parametrize("text", ["{", json.dumps({"a": 1}), json.dumps([{"name": "BTC"}])])
    def test_what_is_no_list_is_refused(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "a.json").write_text(text)
        with pytest.raises(ContractError, match="could not read names"):
            read_members(tmp_path / "a.json", KNOWN, "BINANCE")


class TestDates:
    def test_a_date_alone_or_one_after_the_other(self) -> None:
        week = timedelta(days=7)
        assert list(moments(Dates(), NOW)) == [NOW]
        assert list(moments(Dates(NOW - week), NOW)) == [NOW - week]
        assert list(moments(Dates(NOW - 2 * week, NOW, week), NOW)) == [NOW - 2 * week, NOW - week, NOW]

    @pytest.mark.parametrize(
        "dates",
        [
            Dates(NOW + timedelta(seconds=1)),
            Dates(NOW - timedelta(days=1), NOW),
            Dates(NOW - timedelta(days=9000), NOW, timedelta(minutes=1)),
        ],
    )
    def test_the_future_and_the_endless_are_refused(self, dates: Dates) -> None:
        with pytest.raises(ConfigError):
            list(moments(dates, NOW))
