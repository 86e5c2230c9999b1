from datetime import timedelta

import pandas as pd
import pytest

from quantbus_contracts.errors import ContractError
from quantbus_research.costs import funding_by_bar
from tests.unit.research.panels import BTC, ETH, START, make_panel

MINUTE = timedelta(minutes=1)


def rates(**at: float) -> pd.Series:
    index = pd.MultiIndex.from_tuples(
        [(BTC, START + float(name[1:].replace("_", ".")) * MINUTE) for name in at],
        names=["symbol", "datetime"],
    )
    return pd.Series(list(at.values()), index=index)


def test_a_payment_counts_at_the_first_open_at_or_after_it() -> None:
    charged = funding_by_bar(rates(m3=0.01, m4_5=0.02), make_panel(10).index)
    assert charged[BTC].to_numpy().tolist() == [0, 0, 0, 0.01, 0, 0.02, 0, 0, 0, 0]
    assert (charged[ETH] == 0).all()


def test_milliseconds_after_the_hour_belong_to_the_hour() -> None:
    charged = funding_by_bar(rates(m3_0001=0.01), make_panel(10).index)
    assert charged[BTC].iloc[3] == 0.01


def test_payments_inside_one_bar_add_up() -> None:
    charged = funding_by_bar(rates(m3_2=0.01, m3_7=0.02), make_panel(10).index)
    assert charged[BTC].iloc[4] == pytest.approx(0.03)
    assert charged[BTC].sum() == pytest.approx(0.03)


def test_payments_after_the_last_bar_are_left_out() -> None:
    assert funding_by_bar(rates(m50=0.01), make_panel(10).index).sum() == 0


def test_a_rate_that_is_no_number_is_refused() -> None:
    with pytest.raises(ContractError, match="finite"):
        funding_by_bar(rates(m3=float("nan")), make_panel(10).index)
