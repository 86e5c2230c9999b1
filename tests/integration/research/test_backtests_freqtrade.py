"""The same signals over the same real candles: our entries, exits and profits beside Freqtrade's."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from quantbus_contracts.policy import TradingRules
from quantbus_contracts.schema import PublishedSignal, Signal
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import Account, Replay, as_if_published, replay
from quantbus_research.costs import CostModel, funding_by_bar
from tests.integration.research.backtests_past import CAPITAL, FEE, STAKE, STRATEGY_ID, Bench, running_bench

pytestmark = [pytest.mark.integration, pytest.mark.proof, pytest.mark.timeout(600)]
COINS = ("BTC", "ETH")
STEPS = {"BTC": 0.001, "ETH": 0.01}
"""The coarser of the precisions, spot and perpetual, that the exchange lists for an amount."""


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with running_bench(tmp_path_factory.mktemp("bench"), COINS) as running:
        yield running


def hours(shared_data: Path, coin: str, *, perpetual: bool, bars: int) -> pd.DataFrame:
    name = f"OKX_{coin}USDT_1h{'_PERP' if perpetual else ''}.parquet"
    return _bars(shared_data / "ohlcv/1h" / name, pd.Timestamp("2024-03-01", tz="UTC"), bars)


def minutes(shared_data: Path, coin: str, *, perpetual: bool, bars: int) -> pd.DataFrame:
    name = f"BINANCE_{coin}USDT_1m{'_PERP' if perpetual else ''}.parquet"
    return _bars(shared_data / "ohlcv/1m" / name, pd.Timestamp("2025-06-02", tz="UTC"), bars)


def _bars(path: Path, start: pd.Timestamp, bars: int) -> pd.DataFrame:
    frame = pd.read_parquet(path).set_index("ts")
    return frame[frame.index >= start].iloc[:bars]


def crossing(pair: str, candles: pd.DataFrame, timeframe: Timeframe, *, short: bool) -> list[Signal]:
    """Return signals of two moving averages that cross: in above, out (or short) below."""
    close = candles["close"]
    gap = (close.rolling(6).mean() - close.rolling(24).mean()).fillna(0.0)
    above = pd.Series(np.sign(gap.to_numpy()), index=gap.index)
    turns = above[(above != above.shift()) & (above != 0)]
    down = "enter_short" if short else "exit_long"
    symbol = Instrument.from_pair("BINANCE", pair).symbol
    return [
        Signal.model_validate(
            {
                **{"strategy_id": STRATEGY_ID, "symbol": symbol, "pair": pair, "timeframe": timeframe.name},
                **{"ts": moment, "action": "enter_long" if side > 0 else down},
            }
        )
        for moment, side in zip(pd.DatetimeIndex(turns.index).to_pydatetime(), turns, strict=True)
    ]


def both(
    bench: Bench,
    candles: dict[str, pd.DataFrame],
    signals: list[PublishedSignal],
    timeframe: Timeframe,
    rules: TradingRules,
    *,
    funding: dict[str, pd.Series] | None = None,
) -> tuple[Replay, pd.DataFrame]:
    theirs = bench.backtest(signals, candles, timeframe.name, funding=funding)
    symbols = {pair: Instrument.from_pair("BINANCE", pair).symbol for pair in candles}
    panel = pd.concat({symbols[pair]: frame for pair, frame in candles.items()}, names=["symbol", "datetime"])
    account = Account(capital=CAPITAL, shared=True, compounds=False)
    charged = None
    if funding:
        rates = pd.concat(
            {symbols[pair]: rate for pair, rate in funding.items()}, names=["symbol", "datetime"]
        )
        charged = funding_by_bar(rates, panel.index)
    ours = replay(
        signals,
        panel,
        timeframe=timeframe,
        rules=rules,
        costs=CostModel(fee_rate=FEE),
        account=account,
        stake=STAKE / CAPITAL,
        funding=charged,
    )
    return ours, theirs


def assert_agreement(ours: Replay, theirs: pd.DataFrame) -> None:
    trades = ours.backtest.trades
    pairs = {position.pair: position for position in ours.followed}
    symbols = {Instrument.from_pair("BINANCE", pair).symbol: pair for pair in pairs}
    mine = pd.DataFrame(
        {
            "opened_at": trades["opened_at"],
            "pair": trades["symbol"].map(symbols),
            "closed_at": trades["closed_at"],
            "is_short": trades["side"] == "short",
            "ratio": trades["profit_ratio"],
            "profit": trades["profit"],
            "units": trades["units"],
        }
    ).sort_values(["opened_at", "pair"], ignore_index=True)
    # Freqtrade's rule: what is open at the end is sold at the open of the last candle; ours stays open.
    forced = (theirs["exit_reason"] == "force_exit").to_numpy()
    assert len(mine) == len(theirs)
    assert mine["opened_at"].tolist() == theirs["opened_at"].tolist()
    assert mine["pair"].tolist() == theirs["pair"].tolist()
    assert mine["is_short"].tolist() == theirs["is_short"].tolist()
    assert mine["closed_at"].isna().tolist() == forced.tolist()
    assert mine["closed_at"][~forced].tolist() == theirs["closed_at"][~forced].tolist()
    assert np.abs(mine["ratio"] - theirs["profit_ratio"])[~forced].max() < 1e-7
    # Freqtrade's rule: an amount is cut to the venue's precision; of the same amount the same profit comes.
    cut = mine["units"] - theirs["amount"]
    assert cut.min() > -1e-9
    assert (cut < mine["pair"].str[:3].map(STEPS)).all()
    share = theirs["amount"] / mine["units"]
    total = theirs["profit_abs"][~forced].sum()
    assert (mine["profit"] * share)[~forced].sum() == pytest.approx(total, rel=1e-4)


@pytest.mark.parametrize(("timeframe", "short"), [("1h", False), ("1h", True), ("1m", False), ("1m", True)])
def test_every_entry_and_exit_is_freqtrades(
    bench: Bench, shared_data: Path, timeframe: str, short: bool
) -> None:
    bars = Timeframe.parse(timeframe)
    read = hours if timeframe == "1h" else minutes
    candles = {
        f"{coin}/USDT{':USDT' if short else ''}": read(shared_data, coin, perpetual=short, bars=1_200)
        for coin in COINS
    }
    signals = [
        published
        for number, (pair, frame) in enumerate(candles.items())
        # The last pair's signals come late: a third of a bar after its close.
        for published in as_if_published(
            crossing(pair, frame, bars, short=short),
            delay=bars.delta / 3 if number == len(candles) - 1 else timedelta(0),
        )
    ]
    ours, theirs = both(bench, candles, signals, bars, TradingRules(can_short=short))
    assert len(theirs) > 40
    assert_agreement(ours, theirs)


def test_funding_is_freqtrades_but_for_what_falls_on_the_very_entry(bench: Bench, shared_data: Path) -> None:
    pair, bars = "BTC/USDT:USDT", Timeframe.parse("1h")
    candles = hours(shared_data, "BTC", perpetual=True, bars=1_200)
    paid = pd.read_parquet(shared_data / "funding/BINANCE_BTCUSDT_FUNDING_PERP.parquet").set_index("ts")
    rates = paid["funding_rate"].set_axis(pd.DatetimeIndex(paid.index).floor("1h"))
    rates = rates[(rates.index >= candles.index[0]) & (rates.index <= candles.index[-1])]
    signals = as_if_published(crossing(pair, candles, bars, short=True))
    rules = TradingRules(can_short=True)
    ours, theirs = both(bench, {pair: candles}, signals, bars, rules, funding={pair: rates})
    trades = ours.backtest.trades
    over = trades["closed_at"].notna()
    assert trades["opened_at"].tolist() == theirs["opened_at"].tolist()
    assert np.count_nonzero(theirs["funding_fees"]) > 20
    # Freqtrade charges a payment at the very open of the entry as well; the venue charges what was held before it.
    side = trades["side"].map({"long": 1.0, "short": -1.0})
    at_entry = trades["opened_at"].map(rates).fillna(0.0) * trades["opened_at"].map(candles["open"])
    expected = trades["profit"] / trades["units"] - side * at_entry
    assert at_entry.ne(0).any()
    found = theirs["profit_abs"] / theirs["amount"]
    assert found[over].to_numpy() == pytest.approx(expected[over].to_numpy(), rel=1e-4, abs=1e-3)
