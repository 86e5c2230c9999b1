"""Everything that a check looks for, by the name that its findings carry; the documents are made from here."""

from collections.abc import Mapping

__all__ = ["CATALOGUE", "catalogue_table"]

CATALOGUE: Mapping[str, str] = {
    # the files
    "settings": "a key or variable of the bot is missing, unknown or wrong",
    "strategy-file": "the strategy's class is not where Freqtrade looks for it",
    "tuned-parameters": "`freqtrade hyperopt` left a file beside the strategy, which Freqtrade obeys without a word",
    # markets
    "mode": "`trading_mode` cannot be followed, or futures lack a `margin_mode`",
    "shorts": "signals that ask for a short will be refused",
    "pairlists": "no pairlist, or one that changes by itself",
    "protections": "`protections` in the config, which Freqtrade refuses",
    "pairs": "no pair is named",
    "pair-names": "pairs that are not of the market: `BTC/USDT` on futures, `BTC/USDT:USDT` on spot",
    "stake-currency": "pairs that cannot be paid in the stake currency",
    "blacklist": "pairs in both lists",
    # entering
    "new-candles-only": "`process_only_new_candles`: every entry a candle late, or never",
    "expired-candle": "`ignore_buying_expired_candle_after`: entries dropped without a word",
    "initial-state": "a bot that waits for a person after each start",
    "time-to-enter": "tolerance or age so short that the bot's loop misses them",
    "price-side": "market orders priced on the side that does not fill; Freqtrade refuses to start",
    "limit-orders": "orders that may find nobody",
    "slots": "fewer slots than pairs, or than the strategy has signals at a bar",
    "stake": "no stake, or more than the money there is",
    "capital": "weights as a share of the whole account",
    "minimum-stake": "stakes that the exchange does not take",
    # leaving
    "use-exit-signal": "exits that are never asked for",
    "exit-profit-only": "exits held back at a loss",
    "roi": "profits taken whatever the signals say",
    "stoploss": "no stop of last resort, or one so tight that it decides",
    "trailing-stop": "a trailing stop that overrules signals",
    "signal-stops": "`use_custom_stoploss` off: the `stop_price` of signals is not obeyed",
    "resizing": "`position_adjustment_enable` or `max_entry_position_adjustment` against `rules.drift_band`",
    "stop-on-exchange": "a stop that exists in the bot only, or one that the exchange refuses",
    "cancel-on-exit": "stops taken off the exchange whenever the bot ends",
    # safety
    "dry-run": "it is not said whether orders are real",
    "keys": "real orders without an account, or a dry run with one",
    "venue-address": "an exchange at another address than its own",
    "readable-secrets": "secrets in a file that others may read",
    "keys-in-file": "keys of an account in a file",
    "database": "trades that are forgotten, or those of a dry run taken for real",
    "claims-file": "claims that cannot be written, or would not survive a restart of the machine",
    "doubts": "orders of which it is unknown what became of them",
    "api": "an API without a password, open to others, or off with real money",
    "force-entry": "entries without a signal",
    "replay-database": "replayed signals with real money",
    "restraints": "controls that are not obeyed, or not waited for",
    # the bus
    "bus": "the bus cannot be reached, or does not let the bot in",
    "rights": "a user who may do too little, or far too much",
    "layout": "collections, indexes or validators are missing",
    "clock": "two clocks that differ",
    "slow-bus": "answers that take much of the time they may take",
    "consumer": "a bot of the same name that is alive",
    "lease": "another bot on the same account",
    "strategy": "a strategy that nobody declared",
    "timeframe": "bars of another length than the strategy's",
    "venue": "another exchange than the strategy's",
    "market-type": "spot for futures, or the other way round",
    "leverage": "leverage that the strategy asks for and does not get",
    "declared-pairs": "pairs that the strategy does not speak of",
    "ignored-pairs": "pairs of the strategy that the bot does not trade",
    "restraints-in-force": "controls and risk rows that hold the bot back now",
    "silence": "when the last signal came",
}


def catalogue_table() -> str:
    """Return the catalogue as a Markdown table."""
    lines = ["| check | what it finds |", "|---|---|"]
    return "\n".join([*lines, *(f"| `{name}` | {text} |" for name, text in CATALOGUE.items())])
