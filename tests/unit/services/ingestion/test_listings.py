"""What a market list says, and what it means that it says something else than before."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from quantbus_contracts.errors import ContractError, VenueUnavailable
from quantbus_contracts.schema import Listing
from quantbus_contracts.symbols import Instrument
from quantbus_services.ingestion.listings import compare, read_listings, rename

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
LISTED = datetime(2024, 3, 1, tzinfo=UTC)


def listing(pair: str, **more: Any) -> Listing:
    instrument = Instrument.from_pair("BINANCE", pair)
    given = {"status": "trading", "venue_symbol": pair.replace("/", "").split(":")[0], **more}
    return Listing(instrument=instrument, **given)


BTC, ETH, MATIC = listing("BTC/USDT", tick_size=0.01), listing("ETH/USDT"), listing("MATIC/USDT")


class TestReading:
    MARKET: dict[str, Any] = {  # noqa: RUF012  # never changed
        "symbol": "BTC/USDT:USDT",
        "type": "swap",
        "id": "BTCUSDT",
        "active": True,
        "contractSize": 1.0,
        "created": 1569398400000,
        "precision": {"price": 0.1, "amount": 0.001},
        "limits": {"amount": {"min": 0.001}, "cost": {"min": 100}},
        "info": {"status": "TRADING", "deliveryDate": "4133404800000"},
    }

    def read(self, **changed: Any) -> Listing:
        (found,) = read_listings({"x": self.MARKET | changed}, "BINANCE")
        return found

    def test_rules_are_read(self) -> None:
        found = self.read()
        assert (found.tick_size, found.lot_step, found.min_amount, found.min_notional) == (
            0.1,
            0.001,
            0.001,
            100,
        )
        assert (found.contract_size, found.venue_symbol, found.status) == (1.0, "BTCUSDT", "trading")
        assert found.listed_at == datetime(2019, 9, 25, 8, tzinfo=UTC)
        assert found.delisted_at is None  # delivery in the year 2100 is no delivery

    @pytest.mark.parametrize(
        ("word", "status"),
        [
            ("BREAK", "halted"),
            ("PENDING_TRADING", "pending"),
            ("CLOSE", "delisted"),
            ("PreLaunch", "pending"),
        ],
    )
    def test_a_venues_word_for_its_status_is_understood(self, word: str, status: str) -> None:
        assert self.read(info={"status": word}).status == status

    def test_an_unknown_word_falls_back_on_whether_it_trades(self) -> None:
        assert self.read(info={"status": "NEW_WORD"}, active=False).status == "halted"
        assert self.read(info=None).status == "trading"

    def test_an_announced_end_is_known_ahead(self) -> None:
        ends = NOW + timedelta(days=3)
        stamp = str(int(ends.timestamp() * 1000))
        assert self.read(info={"status": "TRADING", "deliveryDate": stamp}).delisted_at == ends

    def test_decimal_places_become_steps(self) -> None:
        market = self.MARKET | {"precision": {"price": 2, "amount": 0}}
        (found,) = read_listings({"x": market}, "BINANCE", states_steps=False)
        assert (found.tick_size, found.lot_step) == (0.01, 1.0)

    def test_nonsense_is_not_known_and_options_are_left_out(self) -> None:
        found = self.read(precision={"price": float("nan"), "amount": -1}, limits=None, created="soon")
        assert (found.tick_size, found.lot_step, found.min_notional, found.listed_at) == (None,) * 4
        assert read_listings({"x": self.MARKET | {"type": "option"}}, "BINANCE") == []


class TestComparing:
    def test_the_first_list_is_where_history_begins(self) -> None:
        compared = compare([], [BTC, ETH], at=NOW)
        assert (set(compared.listings), compared.changes) == ({BTC, ETH}, ())

    def test_so_is_the_first_list_of_another_kind_of_market(self) -> None:
        swap = listing("BTC/USDT:USDT")
        compared = compare([BTC], [BTC, swap], at=NOW)
        assert (compared.listings, compared.changes) == ((swap,), ())

    def test_an_equal_list_writes_nothing(self) -> None:
        assert compare([BTC, ETH], [ETH, BTC], at=NOW) == compare([], [], at=NOW)

    def test_what_appears_later_is_listed(self) -> None:
        compared = compare([BTC], [BTC, ETH], at=NOW)
        assert [(item.symbol, item.event) for item in compared.changes] == [("BINANCE:ETHUSDT", "listed")]

    def test_what_is_gone_is_delisted_and_stays_known(self) -> None:
        compared = compare([BTC, ETH], [BTC], at=NOW)
        (gone,) = compared.listings
        assert (gone.symbol, gone.status, gone.delisted_at) == ("BINANCE:ETHUSDT", "delisted", NOW)
        assert {item.event for item in compared.changes} == {"delisted", "changed"}
        assert compare([BTC, gone], [BTC], at=NOW + timedelta(days=1)).listings == ()

    def test_what_comes_back_is_relisted(self) -> None:
        gone = compare([BTC, ETH], [BTC], at=NOW).listings[0]
        compared = compare([BTC, gone], [BTC, ETH], at=NOW + timedelta(days=1))
        assert compared.listings == (ETH,)
        assert "relisted" in {item.event for item in compared.changes}

    def test_the_venues_own_word_for_the_end_wins(self) -> None:
        closed = ETH.model_copy(update={"status": "delisted"})
        (found,) = compare([BTC, ETH], [BTC, closed], at=NOW).listings
        assert found.delisted_at == NOW
        assert compare([BTC, found], [BTC, closed], at=NOW + timedelta(days=1)).listings == ()

    def test_a_changed_rule_is_kept_with_both_values(self) -> None:
        finer = BTC.model_copy(update={"tick_size": 0.001})
        (change,) = compare([BTC], [finer], at=NOW).changes
        assert (change.field, change.old, change.new, change.at) == ("tick_size", "0.01", "0.001", NOW)

    def test_the_same_name_at_the_venue_is_the_same_market_renamed(self) -> None:
        pol = listing("POL/USDT", venue_symbol="MATICUSDT")
        compared = compare([BTC, MATIC], [BTC, pol], at=NOW)
        old, new = sorted(compared.listings, key=lambda item: item.symbol)
        assert (old.status, old.renamed_to) == ("delisted", "BINANCE:POLUSDT")
        assert (new.status, new.renamed_from) == ("trading", "BINANCE:MATICUSDT")
        assert [item.event for item in compared.changes].count("renamed") == 1
        assert compare([BTC, old, new], [BTC, pol], at=NOW).listings == ()

    def test_what_only_looks_like_a_rename_is_told_and_not_linked(self) -> None:
        gone, came = listing("MATIC/USDT", listed_at=LISTED), listing("POL/USDT", listed_at=LISTED)
        compared = compare([BTC, gone], [BTC, came], at=NOW)
        assert compared.perhaps_renamed == (("BINANCE:MATICUSDT", "BINANCE:POLUSDT"),)
        assert all(item.renamed_to is item.renamed_from is None for item in compared.listings)

    def test_a_list_cut_short_delists_nothing(self) -> None:
        many = [listing(f"C{number}/USDT") for number in range(60)]
        with pytest.raises(VenueUnavailable, match="--accept-delistings"):
            compare(many, many[:40], at=NOW)
        assert len(compare(many, many[:40], at=NOW, may_shrink=True).listings) == 20
        assert len(compare(many, many[:50], at=NOW).listings) == 10

    pairs = st.sets(st.sampled_from([f"C{number}/USDT" for number in range(8)]), min_size=1)

    @given(lists=st.lists(pairs, min_size=1, max_size=8))
    def test_nothing_is_ever_forgotten_and_a_repeated_list_is_silent(self, lists: list[set[str]]) -> None:
        known: dict[str, Listing] = {}
        seen: set[str] = set()
        for number, names in enumerate(lists):
            seen |= names
            listed = [listing(name) for name in sorted(names)]
            for again in (False, True):
                compared = compare(known.values(), listed, at=NOW + timedelta(hours=number))
                known |= {item.symbol: item for item in compared.listings}
                assert not (again and compared.listings)
            assert {item.instrument.pair for item in known.values()} == seen
            alive = {item.instrument.pair for item in known.values() if item.status != "delisted"}
            assert alive == names


class TestRenaming:
    def test_a_person_may_link_two_symbols(self) -> None:
        gone, came = MATIC.model_copy(update={"status": "delisted"}), listing("POL/USDT")
        compared = rename([gone, came], gone.symbol, came.symbol, at=NOW)
        old, new = compared.listings
        assert (old.renamed_to, new.renamed_from) == (came.symbol, gone.symbol)
        assert rename([old, new], gone.symbol, came.symbol, at=NOW).listings == ()

    def test_an_unknown_or_otherwise_linked_symbol_is_refused(self) -> None:
        with pytest.raises(ContractError, match="two known symbols"):
            rename([BTC], BTC.symbol, "BINANCE:NOUSDT", at=NOW)
        linked = BTC.model_copy(update={"renamed_to": "BINANCE:XUSDT"})
        with pytest.raises(ContractError, match="goes on as BINANCE:XUSDT"):
            rename([linked, ETH], BTC.symbol, ETH.symbol, at=NOW)
