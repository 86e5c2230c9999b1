"""Backtest: signals as they stood on the bus, or positions from a file, over bars and after costs; with a report."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.policy import TradingRules
from quantbus_contracts.ports import SignalReader
from quantbus_contracts.schema import PublishedSignal, Strategy
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.backtests import (
    Account,
    Backtest,
    as_if_published,
    at_other_costs,
    buy_and_hold,
    replay,
    simulate_long_flat,
)
from quantbus_research.costs import CostModel, funding_by_bar
from quantbus_research.reports import Report, backtest_report

__all__ = ["Outcome", "Terms", "backtest_positions", "backtest_signals", "keep_backtest", "signals_between"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a backtest trades.

    Attributes
    ----------
    is_shared
        Whether all symbols trade from one balance; otherwise each has an equal part of the capital for itself.
    stake
        Share of the capital (of the symbol's part, where it has one) that a signal without a weight stakes; None is
        everything, on one balance divided by the number of pairs.
    funding
        Rates by (symbol, moment of the payment, UTC); None where none is charged.
    """

    costs: CostModel
    capital: float = 10_000.0
    is_shared: bool = False
    stake: float | None = None
    rules: TradingRules = field(default_factory=TradingRules)
    funding: pd.Series | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """A backtest, its report, and what should be said of where it came from."""

    backtest: Backtest
    report: Report
    remarks: tuple[str, ...]

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        return {**self.report.summary.as_dict(), "remarks": list(self.remarks)}


def signals_between(
    history: SignalReader, strategy: Strategy, start: datetime, end: datetime
) -> list[PublishedSignal]:
    """Return a strategy's signals of the bars that open in ``[start, end)``, with their histories.

    Raises
    ------
    ConfigError
        If there is none.
    """
    timeframe = Timeframe.parse(strategy.timeframe)
    found = [
        row
        for pair in strategy.pairs
        for row in history.range(strategy.strategy_id, timeframe, pair, start, end)
    ]
    if not found:
        raise ConfigError(
            f"expected {strategy.timeframe} signals of {strategy.strategy_id} on the bus from "
            f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC, found none; see `quantbus signals list`"
        )
    return found


def backtest_signals(
    signals: Collection[PublishedSignal],
    panel: pd.DataFrame,
    timeframe: Timeframe,
    terms: Terms,
    *,
    title: str,
    published_after: timedelta | None = None,
) -> Outcome:
    """Follow signals by the bot's own rules over bars of ``timeframe``, and trade what comes of it.

    Parameters
    ----------
    published_after
        Take the newest revision of each signal as if it had been published live so long after its bar's close. None:
        as it really stood, when it did; what was published afterwards does not trade then.

    Raises
    ------
    ContractError
        If there are bars of none of the signals' symbols, or more is staked than one balance has.
    """
    seen = list(signals) if published_after is None else _as_if_live(signals, published_after)
    pairs = {item.signal.pair for item in seen}
    stake = terms.stake if terms.stake is not None else (1.0 / len(pairs) if terms.is_shared else 1.0)
    account = Account(capital=terms.capital, shared=terms.is_shared, drift_band=terms.rules.drift_band)
    run = replay(
        seen,
        panel,
        timeframe=timeframe,
        rules=terms.rules,
        costs=terms.costs,
        account=account,
        stake=stake,
        funding=_charged(terms.funding, panel),
    )
    traded = panel[panel.index.get_level_values(0).isin(run.targets.columns)]
    others = at_other_costs(
        traded,
        run.targets,
        timeframe=timeframe,
        costs=terms.costs,
        account=account,
        funding=_charged(terms.funding, traded),
    )
    report = _report(run.backtest, traded, others, terms, title)
    remarks = [_counted(signals, len(run.followed), published_after), *_lacking(seen, panel)]
    return Outcome(run.backtest, report, tuple(remarks + _on_funding(terms.funding)))


def backtest_positions(
    position: pd.Series, panel: pd.DataFrame, timeframe: Timeframe, terms: Terms, *, title: str
) -> Outcome:
    """Be in each market where its position is 1 and out of it where it is 0; see `simulate_long_flat`.

    Raises
    ------
    ConfigError
        If one balance or a stake is asked for: each market is all in or out with an equal part of the capital.
    ContractError
        If bars and positions do not match one another.
    """
    if terms.is_shared or terms.stake is not None:
        raise ConfigError(
            "expected positions of 0 or 1 without --shared and --stake: a market is all in or out"
        )
    charged = _charged(terms.funding, panel)
    run = simulate_long_flat(
        panel, position, timeframe=timeframe, costs=terms.costs, capital=terms.capital, funding=charged
    )
    others = at_other_costs(
        panel,
        position,
        timeframe=timeframe,
        costs=terms.costs,
        account=Account(capital=terms.capital),
        funding=charged,
    )
    held = f"{len(position):,} positions, {float(position.mean()):.1%} of them in the market"
    remarks = (held, *_on_funding(terms.funding))
    return Outcome(run, _report(run, panel, others, terms, title), remarks)


def keep_backtest(outcome: Outcome, folder: Path) -> tuple[Path, Path, Path]:
    """Write ``report.html``, ``report.json`` and ``trades.csv`` into ``folder``; return their paths."""
    page, figures = outcome.report.save(folder)
    trades = folder / "trades.csv"
    outcome.backtest.trades.to_csv(trades, index=False)
    return page, figures, trades


def _report(
    run: Backtest, panel: pd.DataFrame, others: dict[str, Backtest], terms: Terms, title: str
) -> Report:
    holding = buy_and_hold(
        panel,
        timeframe=run.timeframe,
        costs=terms.costs,
        capital=terms.capital,
        funding=_charged(terms.funding, panel),
    )
    return backtest_report(run, title=title, holding=holding, other_costs=others)


def _as_if_live(signals: Collection[PublishedSignal], delay: timedelta) -> list[PublishedSignal]:
    live = [item.signal.model_copy(update={"origin": "live"}) for item in signals]
    return as_if_published(live, delay=delay)


def _charged(funding: pd.Series | None, panel: pd.DataFrame) -> pd.Series | None:
    return None if funding is None else funding_by_bar(funding, panel.index)


def _counted(signals: Collection[PublishedSignal], positions: int, after: timedelta | None) -> str:
    counts = Counter(item.signal.origin for item in signals)
    said = ", ".join(f"{count:,} {origin}" for origin, count in sorted(counts.items()))
    told = f"{len(signals):,} signals ({said}) led to {positions:,} positions"
    if after is not None:
        return f"{told}, each taken as if published {after.total_seconds():g} s after its bar's close"
    if not positions and counts["live"] < len(signals):
        told += "; what was published afterwards never trades, and --published-after asks what it would have come to"
    return told


def _lacking(signals: Sequence[PublishedSignal], panel: pd.DataFrame) -> list[str]:
    there = set(panel.index.get_level_values(0))
    lacking = sorted({item.signal.pair for item in signals if item.signal.symbol not in there})
    return [f"left out, for there are no bars of them: {', '.join(lacking)}"] if lacking else []


def _on_funding(funding: pd.Series | None) -> list[str]:
    if funding is None:
        return []
    return [
        f"{len(funding):,} funding payments are charged"
        if len(funding)
        else "no funding is known, so none is charged"
    ]
