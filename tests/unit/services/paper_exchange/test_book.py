import pytest

from quantbus_services.paper_exchange.listings.listings import Listing
from quantbus_services.paper_exchange.prices.book import book_around

BTC = Listing("BTC", "USDT", price_decimals=2, amount_decimals=5)
TINY = Listing("PEPE", "USDT", price_decimals=8, amount_decimals=0)


@pytest.mark.parametrize(("listing", "price"), [(BTC, 63_000.01), (BTC, 0.02), (TINY, 0.00001234)])
def test_levels_are_ordered_on_ticks_and_around_the_price(listing: Listing, price: float) -> None:
    book = book_around(price, listing, levels=50, typical_volume=12.3, variant=5)
    bids, asks = [level[0] for level in book.bids], [level[0] for level in book.asks]
    assert bids == sorted(bids, reverse=True)
    assert asks == sorted(asks)
    assert all(bid < price for bid in bids)
    assert all(ask > price for ask in asks)
    assert all(level > 0 for level in bids)
    assert len(asks) == 50
    for level, amount in book.bids + book.asks:
        assert round(level, listing.price_decimals) == level
        assert round(amount, listing.amount_decimals) == pytest.approx(amount, rel=1e-12)
        assert amount > 0


def test_the_spread_of_a_liquid_market_is_about_a_basis_point() -> None:
    book = book_around(63_000.0, BTC, levels=5, typical_volume=10, variant=5)
    spread = book.best_ask[0] - book.best_bid[0]
    assert spread / 63_000 == pytest.approx(1e-4, rel=0.05)


def test_equal_inputs_give_an_equal_book() -> None:
    first, second, third = (
        book_around(63_000.0, BTC, levels=5, typical_volume=10, variant=variant) for variant in (5, 5, 6)
    )
    assert first == second
    assert first != third


def test_a_market_without_volume_still_has_amounts() -> None:
    book = book_around(63_000.0, BTC, levels=5, typical_volume=0, variant=5)
    assert all(amount > 0 for _, amount in book.bids + book.asks)
