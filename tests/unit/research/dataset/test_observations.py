import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.errors import ContractError
from quantbus_research.dataset import with_observations
from quantbus_research.factors import compute
from tests.unit.research.panels import BTC, ETH, MINUTE, START, make_panel


def observed(*at: float, symbol: str = BTC) -> pd.DataFrame:
    """Return rates 1, 2, 3 … that were observed so many minutes after the first bar opened."""
    times = pd.DatetimeIndex([pd.Timestamp(START) + pd.Timedelta(minutes=minutes) for minutes in at])
    index = pd.MultiIndex.from_product([[symbol], times], names=["symbol", "datetime"])
    return pd.DataFrame({"rate": np.arange(1.0, len(at) + 1)}, index=index)


def test_a_bar_has_what_was_known_when_it_closed_and_nothing_later() -> None:
    found = with_observations(make_panel(6), MINUTE, observed(2.0, 3.5, 3.9), {"rate": "funding"})
    np.testing.assert_array_equal(
        found["funding"].loc[BTC], [np.nan, 1.0, 1.0, 3.0, 3.0, 3.0]
    )  # the bar that opens in minute 1 closes at 2.0
    assert found["funding"].loc[ETH].isna().all()


def test_later_observations_change_nothing_before_them() -> None:
    panel, rates = make_panel(40), observed(*range(0, 40, 3))
    whole = with_observations(panel, MINUTE, rates, {"rate": "funding"})
    for last in (5, 17, 30):
        now = pd.Timestamp(START) + last * MINUTE.delta
        seen = panel[panel.index.get_level_values(1) <= now - MINUTE.delta]
        then = with_observations(
            seen, MINUTE, rates[rates.index.get_level_values(1) <= now], {"rate": "funding"}
        )
        pd.testing.assert_frame_equal(then, whole.loc[seen.index], check_exact=True)


def test_an_observation_that_is_too_old_counts_as_none() -> None:
    found = with_observations(
        make_panel(6), MINUTE, observed(1.0), {"rate": "funding"}, max_age=2 * MINUTE.delta
    )
    np.testing.assert_array_equal(found["funding"].loc[BTC], [1.0, 1.0, 1.0, np.nan, np.nan, np.nan])


def test_the_order_of_the_panel_is_kept() -> None:
    panel = make_panel(10).sort_index(level=1, kind="stable", sort_remaining=False)
    rates = pd.concat([observed(1.0), observed(4.0, symbol=ETH)])
    found = with_observations(panel, MINUTE, rates, {"rate": "funding"})
    assert found.index.equals(panel.index)
    assert found["funding"].loc[ETH].isna().sum() == 3
    assert compute(found, ["funding_rate"])["funding_rate"].equals(found["funding"].rename("funding_rate"))


def test_observations_in_disorder_or_without_the_column_are_refused() -> None:
    with pytest.raises(ContractError, match="oldest first"):
        with_observations(make_panel(3), MINUTE, observed(2.0, 1.0), {"rate": "funding"})
    with pytest.raises(ContractError, match="no amount"):
        with_observations(make_panel(3), MINUTE, observed(2.0), {"amount": "open_interest"})
