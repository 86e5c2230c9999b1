"""What each key means: of the configs that ship, and of the bot's own block; the documents are made from here."""

from collections.abc import Iterator, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

from quantbus_executor.configs.reading import read_config
from quantbus_executor.settings import BLOCK, ENVIRONMENT_NAMES, setting_keys

__all__ = ["SHIPPED", "explanations", "flat", "settings_table", "shipped_table"]

SHIPPED: Mapping[str, str] = {
    "config.dryrun.json": "dry run",
    "config.live.json": "live, spot",
    "config.live-futures.json": "live, futures",
}
"""The configs that ship, and what their columns are called."""

_OF_FREQTRADE: Mapping[str, str] = {
    "bot_name": "what Freqtrade calls itself in its API",
    "strategy": "the class to run; it lies in the user folder",
    "dry_run": "true sends no order: Freqtrade imagines the fills. false trades with real money",
    "dry_run_wallet": "money that a dry run imagines to have",
    "available_capital": "all that the bot may use, however much the account holds; a signal's weight is a share of it",
    "db_url": "the file with the bot's trades: its memory of what was entered; never shared by two bots",
    "initial_state": "running: after a start, also one after a crash, open trades are looked after at once",
    "trading_mode": "spot, or futures: perpetual swaps, long and short",
    "margin_mode": "isolated: a position can lose its own margin only",
    "liquidation_buffer": "how far from its liquidation price, as a share, Freqtrade leaves a position by itself",
    "timeframe": "the bot's own bars; signals speak of these or of longer ones",
    "stake_currency": "what is paid with, and what is counted in",
    "stake_amount": "stake of a signal that carries no weight; above what the exchange takes at least, for swaps often "
    "100 and what Freqtrade keeps in reserve",
    "max_open_trades": "trades at a time; a signal that finds no slot is refused",
    "tradable_balance_ratio": "share of the money that may be tied up; the rest pays fees",
    "stoploss": "the stop of last resort, as a share of the stake (with leverage: sooner); the loss that you can bear "
    "when bus and publishers are silent",
    "order_types.entry": "market: a signal is worth its time, so entries do not wait for a price",
    "order_types.exit": "market: an exit that is not filled is no exit",
    "order_types.emergency_exit": "what is tried when a stop could not be placed",
    "order_types.force_exit": "what a person's exit is sent as",
    "order_types.stoploss": "what the stop is sent as; Binance takes limit orders on spot, market orders on futures",
    "order_types.stoploss_on_exchange": "true lays the stop at the exchange, where it holds while the bot is down",
    "order_types.stoploss_on_exchange_interval": "seconds after which a stop that moved is laid anew",
    "order_types.stoploss_on_exchange_limit_ratio": "limit of a stop order as a share of its trigger: how far below it "
    "still sells",
    "cancel_open_orders_on_exit": "false: stops stay at the exchange when the bot ends",
    "force_entry_enable": "false: nobody enters without a signal",
    "unfilledtimeout.entry": "after how long an unfilled entry is cancelled; its signal is then refused as cancelled",
    "unfilledtimeout.exit": "after how long an unfilled exit is cancelled and sent anew",
    "unfilledtimeout.unit": "what the two count in",
    "entry_pricing.price_side": "other: the side of the book that fills; Freqtrade demands it of market orders",
    "entry_pricing.use_order_book": "true: the price is read off the order book, not off the last trade",
    "entry_pricing.order_book_top": "1: the best price",
    "exit_pricing.price_side": "as for entries",
    "exit_pricing.use_order_book": "as for entries",
    "exit_pricing.order_book_top": "as for entries",
    "exchange.name": "ccxt's name of the exchange; the strategy has to be declared for the same",
    "exchange.enable_ws": "false: candles are asked for, not streamed; signals need no faster ones",
    "exchange.pair_whitelist": "what may be traded; signals for other pairs are refused",
    "exchange.pair_blacklist": "what may not, whatever the whitelist says",
    "pairlists": "StaticPairList: the whitelist as it stands",
    "api_server.enabled": "Freqtrade's REST API, which the monitor reads and by which a person can stop the bot; "
    "`quantbus executor config --api-port` turns it on with secrets of its own",
    "api_server.listen_ip_address": "this machine only: whoever reaches the API can trade",
    "api_server.listen_port": "its port",
    "api_server.username": "who logs in",
    "api_server.password": "empty: never shipped",
    "api_server.verbosity": "error: not a line for each request",
    "internals.process_throttle_secs": "least seconds from one loop, and look at the bus, to the next",
}

_OF_OURS: Mapping[str, str] = {
    "mongo_uri": "where the bus is; without it `QUANTBUS_MONGO_URI`, then the embedded server",
    "db": "database of the signals; without it `QUANTBUS_SIGNALS_DB`",
    "collection": "what the collection of signals is called there",
    "strategy_id": "whose signals to follow; required",
    "consumer_id": "who this bot is in the ledger; required, chosen by you, the same across restarts",
    "timeframe": "how long the bars are that signals are about: the bot's own unless given, never shorter",
    "query_timeout_ms": "longest wait for one answer of the bus",
    "max_answer_age_seconds": "how old the bus's last answer may be for an entry; a longer silence is a downtime",
    "backtest_ledger": "file to which a backtest writes what became of each signal, as lines of JSON",
    "backtest_since": "a backtest leaves out signals whose bar closed before this moment",
    "rules.tolerance_bars": "for how many further bars to enter after the bar that follows the signal's own",
    "rules.max_delay_seconds": "greatest age of an entry from the close of its bar; three bars where not set",
    "rules.max_age_seconds": "greatest age of an entry from when the bus had it",
    "rules.act_on_old_exits": "whether an exit past the time for entries still leaves a position",
    "rules.replay_database": "whether rows of origin `replay` trade here; refused with real money by the check",
    "rules.clock_skew_seconds": "how long before the close of its bar a row may appear because two clocks differ",
    "rules.score_entry": "score from which on to enter",
    "rules.score_exit": "score down to which to hold: between the two nothing changes",
    "rules.catch_up": "what to do about signals that came during a downtime: `if_valid`, `exits_only`, `skip`",
    "rules.can_short": "whether shorts are held; unless set, on futures yes, and on spot none can be",
    "rules.max_leverage": "the most leverage that a signal is granted; a signal that asks for none gets 1",
    "rules.drift_band": "by which share of the capital a position may differ from its weight before it is resized; "
    "unless set, positions stay as they were entered",
    "rules.debounce.minimum_hold_seconds": "how long a position is not left for a signal",
    "rules.debounce.cool_down_seconds": "how long a pair is not entered after its position ended",
    "rules.debounce.flips_per_day": "how often a pair may be entered within 24 hours after having been left less than "
    "24 hours before",
    "rules.confidence.scale": "whether the stake follows the score",
    "rules.confidence.scale_floor": "least share of the stake",
    "rules.confidence.scale_full_at": "score from which on the stake is whole",
    "rules.confidence.fuse": "whether entries of a low score are refused",
    "rules.confidence.fuse_below": "below which score",
    "rules.confidence.fail_open": "with either of the two: whether to enter without a score, at the whole stake",
    "restraints.controls": "obey `quantbus controls`",
    "restraints.risk_state": "obey `quantbus risk`",
    "restraints.when_unreadable": "once neither could be read for `max_age_seconds`: `closed` enters nothing, `open` "
    "goes on",
    "restraints.max_age_seconds": "how old the last answer about them may be",
    "claims.file": "the file with this bot's claims, one before each order; beside the bot's trades unless "
    "set; on a disk that survives a crash",
    "claims.account": "what the account is called that one bot at a time may trade; made from its key unless set, "
    "so to be set where one account has several keys",
    "claims.settle_seconds": "when to ask the exchange about a claim without a trade: an order has arrived by then",
    "claims.give_up_seconds": "when to stop asking an exchange that cannot say, and leave it to a person",
}


def explanations() -> dict[str, str]:
    """Return what every key means: Freqtrade's by their names, ours with the block's before them."""
    return {**_OF_FREQTRADE, **{f"{BLOCK}.{key}": text for key, text in _OF_OURS.items()}}


def flat(config: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every key of a config, dotted, with its value."""
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value


def settings_table() -> str:
    """Return the bot's own settings as a Markdown table."""
    variables = {key: name for name, key in ENVIRONMENT_NAMES.items()}
    lines = ["| key | variable | unless set | meaning |", "|---|---|---|---|"]
    for key, default in setting_keys().items():
        variable = f"`{variables[key]}`" if key in variables else "–"
        lines.append(f"| `{key}` | {variable} | {_told(default)} | {_OF_OURS.get(key, '')} |")
    return "\n".join(lines)


def shipped_table(userdir: Path) -> str:
    """Return what the configs that ship say, and why, as a Markdown table."""
    shipped = [dict(flat(read_config(userdir / name))) for name in SHIPPED]
    explained = explanations()
    keys = dict.fromkeys(key for key in explained if any(key in config for config in shipped))
    lines = [f"| key | {' | '.join(SHIPPED.values())} | meaning |", "|---|---|---|---|---|"]
    for key in keys:
        cells = [_told(config[key]) if key in config else "–" for config in shipped]
        lines.append(f"| `{key}` | {' | '.join(cells)} | {explained[key]} |")
    return "\n".join(lines)


def _told(value: object) -> str:
    match value:
        case None:
            return "–"
        case bool():
            return "true" if value else "false"
        case Enum():
            return f"`{value.value}`"
        case str():
            return f"`{value}`" if value else "empty"
        case list():
            return (
                ", ".join(_told(item.get("method") if isinstance(item, dict) else item) for item in value)
                or "none"
            )
        case int() | float():
            return f"{value:g}"
        case _:
            return f"{value}"
