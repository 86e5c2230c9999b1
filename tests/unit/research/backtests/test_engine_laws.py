"""Laws that hold for every market, every decision and every cost."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from quantbus_research.backtests import Account, simulate
from quantbus_research.costs import CostModel
from tests.unit.research.backtests.ground import costs, decisions, market
from tests.unit.research.panels import MINUTE

SEEDS = st.integers(0, 10_000)
ACCOUNTS = st.builds(
    Account, shared=st.booleans(), compounds=st.booleans(), drift_band=st.sampled_from([None, 0.0, 0.05])
)
few = settings(max_examples=40, deadline=None)


def shares(position: pd.Series, account: Account) -> pd.Series:
    return position / 3 if account.shared else position


@few
@given(SEEDS, costs(), ACCOUNTS, st.booleans())
def test_equity_is_the_capital_and_what_every_trade_brought_in(
    seed: int, terms: CostModel, account: Account, gaps: bool
) -> None:
    panel = market(seed, gaps=gaps)
    funding = pd.Series(np.random.default_rng(seed).normal(0, 1e-4, len(panel)), index=panel.index)
    targets = shares(decisions(panel, seed), account)
    result = simulate(panel, targets, timeframe=MINUTE, costs=terms, account=account, funding=funding)
    gained = result.equity.iloc[-1] - result.capital
    assert result.profits.iloc[-1].sum() == pytest.approx(gained, rel=1e-9, abs=1e-6)
    assert result.trades["profit"].sum() == pytest.approx(gained, rel=1e-9, abs=1e-6)
    whole = result.profits.sum(axis=1) + result.capital
    assert whole.to_numpy() == pytest.approx(result.equity.to_numpy(), rel=1e-9)


@few
@given(SEEDS, costs(), costs(), st.booleans(), st.booleans())
def test_higher_costs_never_leave_more(
    seed: int, one: CostModel, other: CostModel, shared: bool, compounds: bool
) -> None:
    names = ("fee_rate", "spread_rate", "impact_alpha")
    pairs = {name: sorted((getattr(one, name), getattr(other, name))) for name in names}
    panel = market(seed)
    account = Account(shared=shared, compounds=compounds)
    targets = shares(decisions(panel, seed), account)
    cheap, dear = (
        simulate(
            panel,
            targets,
            timeframe=MINUTE,
            costs=replace(one, **{name: bounds[which] for name, bounds in pairs.items()}),
            account=account,
        )
        for which in (0, 1)
    )
    assume(dear.equity.min() > 0 and cheap.equity.min() > 0)  # who is ruined stops losing
    assert dear.equity.iloc[-1] <= cheap.equity.iloc[-1] * (1 + 1e-12)


@few
@given(SEEDS, costs(), ACCOUNTS)
def test_without_a_trade_the_equity_is_flat(seed: int, terms: CostModel, account: Account) -> None:
    panel = market(seed)
    result = simulate(
        panel, pd.Series(0.0, index=panel.index), timeframe=MINUTE, costs=terms, account=account
    )
    assert (result.equity == account.capital).all()
    assert result.orders.empty
    assert result.trades.empty


@few
@given(SEEDS, costs(), ACCOUNTS, st.permutations(range(3)))
def test_the_order_of_symbols_and_rows_does_not_matter(
    seed: int, terms: CostModel, account: Account, order: list[int]
) -> None:
    panel = market(seed)
    targets = shares(decisions(panel, seed), account)
    names = panel.index.get_level_values(0).unique()
    renamed = {name: f"BINANCE:X{place}USDT" for name, place in zip(names, order, strict=True)}
    plain = simulate(panel, targets, timeframe=MINUTE, costs=terms, account=account)
    other = simulate(
        panel.rename(index=renamed, level=0).sample(frac=1, random_state=seed),
        targets.rename(index=renamed, level=0).sample(frac=1, random_state=seed + 1),
        timeframe=MINUTE,
        costs=terms,
        account=account,
    )
    assert other.equity.to_numpy() == pytest.approx(plain.equity.to_numpy(), rel=1e-9)


@few
@given(SEEDS, costs(), ACCOUNTS, st.integers(5, 35))
def test_nothing_at_a_bar_depends_on_later_bars(
    seed: int, terms: CostModel, account: Account, until: int
) -> None:
    panel = market(seed)
    targets = shares(decisions(panel, seed), account)
    times = panel.index.get_level_values(1)
    kept = times <= times.unique()[until]
    whole = simulate(panel, targets, timeframe=MINUTE, costs=terms, account=account)
    part = simulate(panel[kept], targets[kept], timeframe=MINUTE, costs=terms, account=account)
    assert (part.equity.to_numpy() == whole.equity.to_numpy()[: until + 1]).all()


@few
@given(SEEDS, costs(delay_bars=0.0))
def test_an_order_is_made_at_the_first_open_after_its_decision(seed: int, terms: CostModel) -> None:
    panel = market(seed, gaps=True)
    targets = decisions(panel, seed)
    result = simulate(panel, targets, timeframe=MINUTE, costs=terms)
    columns = (result.orders[name].tolist() for name in ("symbol", "time", "units", "value"))
    for symbol, time, units, value in zip(*columns, strict=True):
        opens, own = panel["open"][symbol], targets[symbol].dropna()
        assert value == pytest.approx(abs(units) * opens[time])
        decided = own.index[own.index < time][-1]
        assert not ((opens.index > decided) & (opens.index < time)).any()


@few
@given(SEEDS, costs())
def test_one_symbol_on_a_shared_capital_is_a_sleeve(seed: int, terms: CostModel) -> None:
    panel = market(seed).loc[["BINANCE:BTCUSDT"]]
    targets = decisions(panel, seed)
    alone, shared = (
        simulate(panel, targets, timeframe=MINUTE, costs=terms, account=Account(shared=shared))
        for shared in (False, True)
    )
    assert shared.equity.to_numpy() == pytest.approx(alone.equity.to_numpy(), rel=1e-12)


@few
@given(SEEDS, costs())
def test_an_account_that_is_never_short_never_owes_cash(seed: int, terms: CostModel) -> None:
    panel = market(seed)
    targets = decisions(panel, seed, lowest=0) / 2
    account = Account(shared=True, drift_band=0.0)
    result = simulate(
        panel, targets.where(targets.isna(), 1 / 3), timeframe=MINUTE, costs=terms, account=account
    )
    cash = result.equity.to_numpy() - result.values.sum(axis=0)
    assert (cash > -1e-6).all()
