"""What the shadow said beside the live strategy."""

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from quantbus_research.cli.backtest import (
    FIRST,
    Delay,
    Fee,
    Frame,
    PublishedAfter,
    Short,
    Spread,
    bars_of,
    connected,
    funding_of,
)

if TYPE_CHECKING:
    from quantbus_research.workflows import Comparison, Outcome, Terms, Voice

__all__ = ["app"]

app = typer.Typer()

_SHOWN = 10


@app.command()
def shadow(
    strategy_id: Annotated[str, typer.Argument(help="The live strategy.")],
    shadow_id: Annotated[
        str | None, typer.Option("--shadow", metavar="ID", help="Its shadow; default: <strategy>.shadow.")
    ] = None,
    since: Annotated[
        str | None, typer.Option(help="First day (2024-01-31); default: the first there is.")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Last day, in whole; default: today.")] = None,
    published_after: PublishedAfter = None,
    timeframe: Frame = None,
    short: Short = False,
    fee: Fee = 0.001,
    spread: Spread = 0.0,
    delay: Delay = 0.0,
    out: Annotated[
        Path | None,
        typer.Option(help="Write shadow.json and a page about each of both results into this folder."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print all figures as JSON.")] = False,
) -> None:
    """Compare what the shadow said with what the live strategy said, on the bars that both were evaluated for.

    Both are followed from flat, on one balance in equal parts for each pair, at the next open and after costs.

    \b
    Examples:
      quantbus research shadow direction_1h
      quantbus research shadow direction_1h --since 2025-06-01 --timeframe 1m --fee 0.0006 --json
      quantbus research shadow direction_1h --shadow challenger --out compared
    """
    from quantbus_contracts.policy import TradingRules
    from quantbus_research.costs import CostModel
    from quantbus_research.workflows import Terms

    terms = Terms(
        costs=CostModel(fee_rate=fee, spread_rate=spread, delay_bars=delay),
        is_shared=True,
        rules=TradingRules(can_short=short),
    )
    after = None if published_after is None else timedelta(seconds=published_after)
    found = _compared(
        strategy_id, shadow_id or f"{strategy_id}.shadow", (since, until), terms, after, timeframe
    )
    if out is not None:
        _keep(found, out)
    if as_json:
        typer.echo(json.dumps(found.as_dict(), allow_nan=False))
    else:
        _show(found, out)


def _compared(
    live_id: str,
    shadow_id: str,
    days: tuple[str | None, str | None],
    terms: "Terms",
    published_after: timedelta | None,
    timeframe: str | None,
) -> "Comparison":
    from dataclasses import replace

    from rich.console import Console

    from quantbus_contracts.mongo.signal_reader import SignalReader
    from quantbus_contracts.mongo.strategies import StrategyStore
    from quantbus_contracts.symbols import Instrument
    from quantbus_contracts.timeframe import Timeframe
    from quantbus_research.workflows import backtest_signals, compare_voices, read_voices

    connection = connected()
    try:
        with Console(stderr=True).status(f"{live_id} and {shadow_id}: signals, bars, trades"):
            now, history = connection.server_now(), SignalReader(connection)
            since, until = days[0] or FIRST, days[1] or now
            live, beside, bars = read_voices(
                history, StrategyStore(connection), live_id, shadow_id, since, until
            )
            spoken = live.strategy
            traded = Timeframe.parse(timeframe or spoken.timeframe)
            # Two bars more, so that what was said about the last one can be followed at the open after it.
            end = min(now, bars[-1] + 3 * Timeframe.parse(spoken.timeframe).delta)
            both = [pair for pair in spoken.pairs if pair in beside.strategy.pairs]
            names = [Instrument.from_pair(spoken.venue, pair).symbol for pair in both]

            def follow(voice: "Voice", pairs: int) -> "Outcome":
                panel = bars_of(connection, names, traded, bars[0], end)
                charged = funding_of(connection, panel) if spoken.market_type == "swap" else None
                return backtest_signals(
                    voice.signals,
                    panel,
                    traded,
                    replace(terms, stake=1.0 / pairs, funding=charged),
                    title=f"Shadow: signals of {voice.strategy_id}, {traded.name}",
                    published_after=published_after,
                )

            return compare_voices(live, beside, bars, follow)
    finally:
        connection.close()


def _keep(found: "Comparison", folder: Path) -> None:
    from quantbus_research.workflows import keep_backtest

    for name, result in (("live", found.live_result), ("shadow", found.shadow_result)):
        if result is not None:
            keep_backtest(result, folder / name)
    folder.mkdir(parents=True, exist_ok=True)
    told = json.dumps(found.as_dict(), indent=2, allow_nan=False)
    (folder / "shadow.json").write_text(told + "\n", encoding="utf-8")


def _show(found: "Comparison", folder: Path | None) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console()

    def say(text: str) -> None:
        console.print(text, highlight=False, soft_wrap=True, markup=False)

    live, beside = found.live.strategy_id, found.shadow.strategy_id
    say(
        f"{live} and {beside}: {len(found.bars):,} bars of {found.live.strategy.timeframe} that both were "
        f"evaluated for, {found.bars[0]:%Y-%m-%d %H:%M} to {found.bars[-1]:%Y-%m-%d %H:%M} UTC"
    )
    table = Table("pair", "said the same", "on the same side", "entries of both", "live only", "shadow only")
    for pair in found.pairs:
        table.add_row(
            pair.pair,
            f"{pair.same_word / pair.bars:.1%}",
            f"{pair.same_side / pair.bars:.1%}",
            f"{pair.entries_of_both:,}",
            f"{pair.entries_of_live_only:,}",
            f"{pair.entries_of_shadow_only:,}",
        )
    console.print(table)
    correlation = "–" if found.score_correlation is None else f"{found.score_correlation:+.3f}"
    say(
        f"rank correlation of scores: {correlation}, over {found.scores_compared:,} words about the same bar and pair"
    )
    console.print(_results(found))
    for entry in found.entries[-_SHOWN:]:
        score = "" if entry.score is None else f", score {entry.score:+.4f}"
        say(f"{entry.bar:%Y-%m-%d %H:%M} {entry.pair}: only {entry.strategy_id} entered{score}")
    if len(found.entries) > _SHOWN:
        say(f"the newest {_SHOWN} of {len(found.entries):,} entries that only one made; --json prints all")
    for remark in found.remarks:
        say(f"• {remark}")
    if folder is not None:
        say(f"written to {folder}")


def _results(found: "Comparison") -> object:
    from rich.table import Table

    table = Table("followed", "total", "a year", "Sharpe", "deepest drawdown", "trades", title="after costs")
    for voice, result in ((found.live, found.live_result), (found.shadow, found.shadow_result)):
        if result is None:
            table.add_row(voice.strategy_id, "–", "–", "–", "–", "–")
            continue
        figures = result.report.summary.result
        table.add_row(
            voice.strategy_id,
            f"{figures.total_return:+.2%}",
            f"{figures.annual_return:+.2%}",
            f"{figures.sharpe:.2f}",
            f"{figures.max_drawdown:.2%}",
            f"{figures.trades:,}",
        )
    return table
