"""The replay by Freqtrade's own backtest: a real ``freqtrade backtesting`` with the bot's strategy file."""

import json
import zipfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from quantbus_contracts.schema import Execution
from quantbus_executor.configs.tailored import Tailoring, tailored_config
from quantbus_executor.replay.commands import folders_of, run_command
from quantbus_executor.replay.outcome import Outcome, ReplayedTrade
from quantbus_executor.replay.plan import ReplayPlan
from quantbus_executor.settings import BLOCK

__all__ = ["backtest", "outcome_of_backtest"]

_AT_THE_END = "force_exit"
"""Freqtrade's word for what it closes because the data end; here such a trade is open."""


def backtest(
    plan: ReplayPlan,
    folder: Path,
    environment: Mapping[str, str],
    *,
    venue_url: str,
    userdir: Path,
    fee: float,
) -> Outcome:
    """Run the backtest in ``folder``; its files stay there.

    Raises
    ------
    CommandFailed
        If Freqtrade ends with an error, as it does without the bus.
    """
    data, results, ledger = folder / "candles", folder / "results", folder / "ledger.jsonl"
    for made in (data, results):
        made.mkdir(parents=True)
    before = plan.start - plan.timeframe.delta  # Freqtrade trades from the second bar on
    for pair, frame in plan.candles.items():
        kept = frame[(frame["date"] >= before) & (frame["date"] < plan.end)]
        times = kept["date"].astype("datetime64[ms, UTC]").astype("int64").tolist()
        values = kept[["open", "high", "low", "close", "volume"]].to_numpy().tolist()
        rows = [[time, *row] for time, row in zip(times, values, strict=True)]
        path = data / f"{pair.replace('/', '_')}-{plan.timeframe}.json"
        path.write_text(json.dumps(rows), encoding="utf-8")
    config = tailored_config(
        plan.config,
        Tailoring(
            database=folder / "unused.sqlite",
            venue_url=venue_url,
            pairs=plan.pairs,
            max_open_trades=plan.config.get("max_open_trades"),
        ),
    )
    config |= {"dataformat_ohlcv": "json", "fee": fee}
    config[BLOCK] |= {"backtest_ledger": str(ledger), "backtest_since": plan.start.isoformat()}
    written = folder / "config.json"
    written.write_text(json.dumps(config, indent=4), encoding="utf-8")
    written.chmod(0o600)
    arguments = [
        *("backtesting", *folders_of(userdir, folder), "--config", str(written), "--datadir", str(data)),
        *("--timerange", f"{int(before.timestamp())}-{int(plan.end.timestamp())}", "--cache", "none"),
        *("--export", "trades", "--backtest-directory", str(results)),
    ]
    run_command("freqtrade", arguments, environment, folder / "freqtrade.log")
    (archive,) = results.glob("*.zip")
    with zipfile.ZipFile(archive) as opened:
        result = json.loads(opened.read(f"{archive.stem}.json"))
    (strategy,) = result["strategy"].values()
    lines = ledger.read_text(encoding="utf-8").splitlines()
    return outcome_of_backtest(strategy["trades"], [Execution.model_validate_json(line) for line in lines])


def outcome_of_backtest(trades: list[dict[str, Any]], rows: list[Execution]) -> Outcome:
    """Return the outcome of a backtest's exported trades and of the ledger it left."""
    replayed = sorted((_trade(trade) for trade in trades), key=lambda trade: (trade.opened_at, trade.pair))
    return Outcome("backtest", replayed, {row.signal_id: row for row in rows})


def _trade(trade: Mapping[str, Any]) -> ReplayedTrade:
    ended = trade["exit_reason"] != _AT_THE_END
    return ReplayedTrade(
        pair=trade["pair"],
        side="short" if trade["is_short"] else "long",
        enter_tag=trade["enter_tag"],
        opened_at=_moment(trade["open_timestamp"]),
        open_rate=trade["open_rate"],
        stake=trade["stake_amount"],
        exit_reason=trade["exit_reason"] if ended else None,
        closed_at=_moment(trade["close_timestamp"]) if ended else None,
        close_rate=trade["close_rate"] if ended else None,
        profit=trade["profit_abs"] if ended else None,
    )


def _moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, tz=UTC)
