"""The same targets at the same costs over the same real candles: our equity beside vectorbt's, to 1e-9."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import Account, Backtest, buy_and_hold, simulate, simulate_long_flat, top_k
from quantbus_research.costs import CostModel

pytestmark = [pytest.mark.integration, pytest.mark.proof, pytest.mark.timeout(300)]
HOUR, MINUTE = Timeframe.parse("1h"), Timeframe.parse("1m")
CAPITAL = 10_000.0
COSTS = CostModel(fee_rate=0.001, spread_rate=0.0006)
Peer = Any


@pytest.fixture(scope="module")
def vectorbt() -> Peer:
    return pytest.importorskip("vectorbt")


def bars(shared_data: Path, timeframe: Timeframe) -> pd.DataFrame:
    """Return real bars of several symbols without a gap: 1h perpetuals of OKX, 1m perpetuals of Binance."""
    coins = ("BTC", "ETH", "SOL", "DOGE")
    venue, start, count = (
        ("OKX", "2024-02-01", 12_000) if timeframe == HOUR else ("BINANCE", "2025-05-26", 30_000)
    )
    parts = {}
    for coin in coins:
        path = shared_data / f"ohlcv/{timeframe.name}/{venue}_{coin}USDT_{timeframe.name}_PERP.parquet"
        frame = pd.read_parquet(path).rename(columns={"ts": "datetime"}).set_index("datetime")
        parts[f"{venue}:{coin}USDT.P"] = frame[frame.index >= pd.Timestamp(start, tz="UTC")].iloc[:count]
    panel = pd.concat(parts, names=["symbol", "datetime"])
    assert panel["close"].unstack(level=0).notna().all(axis=None)
    return panel


def trend(panel: pd.DataFrame) -> pd.Series:
    """Return 1 where a fast average is above a slow one and -1 below, 0 while either is unknown."""
    close = panel["close"].groupby(level=0)
    gap = close.transform(lambda price: price.rolling(24).mean() - price.rolling(96).mean())
    return pd.Series(np.sign(gap.fillna(0.0).to_numpy()), index=gap.index)


def theirs(
    vectorbt: Peer, panel: pd.DataFrame, wanted: pd.DataFrame, *, shared: bool, on_change: bool = True
) -> pd.DataFrame:
    """Return vectorbt's worth: each decision one row later, at that row's open; columns in one order by label."""
    open_, close = (panel[name].unstack(level=0) for name in ("open", "close"))
    wanted = wanted.reindex(index=open_.index, columns=open_.columns)
    if on_change:
        wanted = wanted.where(wanted != wanted.shift(fill_value=0.0))
    size = wanted.shift()
    assert open_.columns.equals(size.columns)  # vectorbt would match them by position
    assert open_.index.equals(size.index)
    portfolio = vectorbt.Portfolio.from_orders(
        close=close,
        size=size,
        size_type="targetpercent",
        price=open_,
        fees=COSTS.fee_rate,
        slippage=COSTS.spread_rate / 2,
        init_cash=CAPITAL if shared else CAPITAL / len(open_.columns),
        cash_sharing=shared,
        group_by=shared or None,
        call_seq="auto" if shared else "default",
        freq="1h",
    )
    value = portfolio.value()
    return value.to_frame("account") if shared else pd.DataFrame(value)


def assert_same(ours: Backtest, value: pd.DataFrame) -> None:
    assert set(ours.sleeves.columns) == set(value.columns)
    apart = ours.sleeves / value[ours.sleeves.columns] - 1
    assert np.abs(apart.to_numpy()).max() < 1e-9


@pytest.mark.parametrize("timeframe", [HOUR, MINUTE], ids=str)
def test_long_and_flat(vectorbt: Peer, shared_data: Path, timeframe: Timeframe) -> None:
    panel = bars(shared_data, timeframe)
    wanted = trend(panel).clip(lower=0)
    ours = simulate_long_flat(panel, wanted, timeframe=timeframe, costs=COSTS, capital=CAPITAL)
    assert len(ours.orders) > 100
    assert_same(ours, theirs(vectorbt, panel, wanted.unstack(level=0), shared=False))


@pytest.mark.parametrize("timeframe", [HOUR, MINUTE], ids=str)
def test_long_and_short_turned_round_in_one_order(
    vectorbt: Peer, shared_data: Path, timeframe: Timeframe
) -> None:
    panel = bars(shared_data, timeframe)
    wanted = trend(panel) * 0.9
    ours = simulate(panel, wanted, timeframe=timeframe, costs=COSTS, account=Account(capital=CAPITAL))
    assert len(ours.orders) > 100
    assert_same(ours, theirs(vectorbt, panel, wanted.unstack(level=0), shared=False))


@pytest.mark.parametrize("timeframe", [HOUR, MINUTE], ids=str)
def test_weights_of_one_capital(vectorbt: Peer, shared_data: Path, timeframe: Timeframe) -> None:
    panel = bars(shared_data, timeframe)
    scores = panel["close"].groupby(level=0).pct_change(48)
    # Below the whole capital, so that nothing is cut: vectorbt cuts the last purchase, quantbus all of them alike.
    wanted = top_k(scores, 2, every=24) * 0.95
    account = Account(capital=CAPITAL, shared=True, drift_band=0.0)
    ours = simulate(panel, wanted, timeframe=timeframe, costs=COSTS, account=account)
    assert len(ours.orders) > 100
    assert_same(ours, theirs(vectorbt, panel, wanted, shared=True, on_change=False))


def test_buying_and_holding(vectorbt: Peer, shared_data: Path) -> None:
    panel = bars(shared_data, HOUR)
    ours = buy_and_hold(panel, timeframe=HOUR, costs=COSTS, capital=CAPITAL)
    wanted = pd.Series(1.0, index=panel.index).unstack(level=0)
    assert_same(ours, theirs(vectorbt, panel, wanted, shared=False))
