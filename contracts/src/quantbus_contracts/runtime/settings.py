"""Settings from the environment: the groups that processes share, and the one list of names.

A process builds its settings once in ``main`` and passes them down. Every ``QUANTBUS_*`` name of the whole
product stands in `KNOWN_NAMES`; an unknown one is an error at start, since a misspelt limit is no limit.
"""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Literal, TypeVar

from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict, SettingsError

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.redaction import conceal, conceal_address

__all__ = [
    "BOT_NAMES",
    "KNOWN_NAMES",
    "HomeSettings",
    "MongoSettings",
    "ProcessSettings",
    "check_environment",
    "load_options",
    "load_settings",
    "read_settings",
    "unknown_names",
]

SettingsT = TypeVar("SettingsT", bound=BaseSettings)

KNOWN_NAMES: dict[str, str] = {
    "QUANTBUS_HOME": "folder of everything that running makes: the embedded database, models, logs",
    "QUANTBUS_MONGO_URI": "address of MongoDB; unset means the embedded server",
    "QUANTBUS_MONGO_USER": "user of MongoDB, where the address names none",
    "QUANTBUS_MONGO_PASSWORD_FILE": "file with the password of that user, or of the address's",
    "QUANTBUS_MONGOD": "path of the mongod to run as the embedded server",
    "QUANTBUS_MARKET_DB": "database of candles and instruments",
    "QUANTBUS_SIGNALS_DB": "database of signals and strategies",
    "QUANTBUS_TRADING_DB": "database of the ledger, heartbeats and findings",
    "QUANTBUS_LOG_LEVEL": "debug, info, warning or error",
    "QUANTBUS_LOG_JSON": "true for JSON lines (containers), false for people",
    "QUANTBUS_INGESTION_VENUE": "exchange that candles come from, by its ccxt id",
    "QUANTBUS_INGESTION_VENUE_URL": "base address that stands in for the exchange's own hosts",
    "QUANTBUS_INGESTION_VENUE_TIMEOUT_SECONDS": "time-out of one request to the exchange",
    "QUANTBUS_INGESTION_HISTORY_DAYS": "how far back live ingestion fills before it starts",
    "QUANTBUS_INGESTION_GRACE_SECONDS": "how long after a bar's close it is first asked for",
    "QUANTBUS_INGESTION_STREAM": "false to do without the exchange's websocket",
    "QUANTBUS_INGESTION_REREAD_BARS": "how many closed bars each cycle reads again for corrections",
    "QUANTBUS_INGESTION_PATIENCE_SECONDS": "how long a cycle keeps asking for a bar that is not there yet",
    "QUANTBUS_INGESTION_RETRY_ATTEMPTS": "how often one request of a backfill is tried",
    "QUANTBUS_INGESTION_MAX_FAILURES": "how many turns in a row every series may fail before it exits with 1",
    "QUANTBUS_INGESTION_HEARTBEAT_SECONDS": "how often live ingestion gives a sign of life",
    "QUANTBUS_INGESTION_CLOCK_CHECK_SECONDS": "how often the exchange's clock is compared with ours",
    "QUANTBUS_INGESTION_CONCURRENCY": "how many pages of bars are under way at once",
    "QUANTBUS_INGESTION_PAGE_BARS": "how many bars are asked for in one request",
    "QUANTBUS_INGESTION_FALLBACKS": "JSON list of second sources: BTC/USDT=OKX:BTCUSDT",
    "QUANTBUS_INGESTION_FALLBACK_URL": "base address that stands in for the second source's own hosts",
    "QUANTBUS_INGESTION_FALLBACK_AFTER_SECONDS": "how long the exchange must fail before the second source stands in",
    "QUANTBUS_INGESTION_DISAGREEMENT_CLOSE": "relative difference of closes that two sources may have",
    "QUANTBUS_INGESTION_DISAGREEMENT_VOLUME_RATIO": "how many times the other's volume a source may have",
    "QUANTBUS_INGESTION_GAP_CHECK_SECONDS": "how often live ingestion looks for gaps to ask for again",
    "QUANTBUS_INGESTION_GAP_PAUSE_SECONDS": "how long to wait before a gap is asked for again",
    "QUANTBUS_INGESTION_GAP_CONFIRMATIONS": "how many answers around a gap confirm that it is empty",
    "QUANTBUS_INGESTION_GAP_ATTEMPTS": "how many requests without such an answer make a gap unreachable",
    "QUANTBUS_INGESTION_INSTANCE": "name of the ingestion process in its heartbeat",
    "QUANTBUS_INGESTION_METRICS_PORT": "port of ingestion's /metrics; 0 turns it off",
    "QUANTBUS_INGESTION_METRICS_HOST": "address of ingestion's /metrics; 127.0.0.1 unless in a container",
    "QUANTBUS_INGESTION_QUOTES": "JSON list of currencies that symbols in file names may be quoted in",
    "QUANTBUS_INGESTION_VENUE_QUOTES": "JSON object of such lists for single venues",
    "QUANTBUS_INGESTION_FOLDER_VENUES": "JSON list of folder names that say a file's venue",
    "QUANTBUS_OBSERVATION_FUNDING_SECONDS": "how often settled funding rates are asked for",
    "QUANTBUS_OBSERVATION_MARK_SECONDS": "how often mark prices are asked for",
    "QUANTBUS_OBSERVATION_OPEN_INTEREST_SECONDS": "how often open interest is asked for",
    "QUANTBUS_OBSERVATION_DEPTH_SECONDS": "how often order books are asked for",
    "QUANTBUS_OBSERVATION_INSTRUMENTS_SECONDS": "how often the exchange's market list is read again",
    "QUANTBUS_OBSERVATION_DEPTH_LIMIT": "how many prices a side of an order book are asked for",
    "QUANTBUS_OBSERVATION_FUNDING_HISTORY_DAYS": "how far back funding is asked for where none is stored",
    "QUANTBUS_RESEARCH_CACHE_GB": "how much of what runs of recipes have computed is kept; 20 by default",
    "QUANTBUS_RESEARCH_METRICS_HOST": "address of the worker's /metrics; 127.0.0.1 unless in a container",
    "QUANTBUS_ACCOUNT_NAME": "what the account is called in snapshots; as the bot's claims.account where that is set",
    "QUANTBUS_ACCOUNT_VENUE": "exchange of the account, by its ccxt id",
    "QUANTBUS_ACCOUNT_VENUE_URL": "base address that stands in for the account's exchange",
    "QUANTBUS_ACCOUNT_MARKETS": 'JSON list of what is read of the account: ["spot"], ["swap"] or both',
    "QUANTBUS_ACCOUNT_QUOTE": "currency that balances are valued in: the bot's stake currency",
    "QUANTBUS_ACCOUNT_PAIRS": "JSON list of pairs whose fills are always asked for",
    "QUANTBUS_ACCOUNT_KEY": "API key that can only read",
    "QUANTBUS_ACCOUNT_SECRET": "secret of that key",
    "QUANTBUS_ACCOUNT_PASSPHRASE": "passphrase of that key, where the exchange has one",
    "QUANTBUS_ACCOUNT_KEY_FILE": "file with that key",
    "QUANTBUS_ACCOUNT_SECRET_FILE": "file with its secret",
    "QUANTBUS_ACCOUNT_PASSPHRASE_FILE": "file with its passphrase",
    "QUANTBUS_ACCOUNT_INTERVAL_SECONDS": "how often the account is looked at",
    "QUANTBUS_ACCOUNT_TIMEOUT_SECONDS": "time-out of one request about the account",
    "QUANTBUS_ACCOUNT_ATTEMPTS": "how often one question about the account is asked within a look",
    "QUANTBUS_ACCOUNT_FILLS_MINUTES": "how far back fills of the account are asked for",
    "QUANTBUS_ACCOUNT_INSTANCE": "name of the account service in its heartbeat",
    "QUANTBUS_ACCOUNT_METRICS_HOST": "address of the account service's metrics",
    "QUANTBUS_ACCOUNT_METRICS_PORT": "port of the account service's metrics; 0 for none",
    "QUANTBUS_MONITOR_HOST": "address that the monitor listens on; 127.0.0.1 unless in a container",
    "QUANTBUS_MONITOR_PORT": "port of the monitor",
    "QUANTBUS_MONITOR_READY_FILE": "where the monitor writes its address once its first checks are done",
    "QUANTBUS_MONITOR_INTERVAL_SECONDS": "how often the monitor looks",
    "QUANTBUS_MONITOR_INSTANCE": "name of the monitor in its heartbeat",
    "QUANTBUS_MONITOR_FREQTRADE_URL": "address of Freqtrade's REST API; unset: positions are not compared",
    "QUANTBUS_MONITOR_FREQTRADE_USER": "user of Freqtrade's REST API",
    "QUANTBUS_MONITOR_FREQTRADE_PASSWORD": "password of Freqtrade's REST API",
    "QUANTBUS_MONITOR_FREQTRADE_PASSWORD_FILE": "file with that password",
    "QUANTBUS_MONITOR_FREQTRADE_CONSUMER": "that bot's consumer_id, where several bots share the ledger",
    "QUANTBUS_MONITOR_FREQTRADE_ACCOUNT": "QUANTBUS_ACCOUNT_NAME of that bot's account, where its lease says none",
    "QUANTBUS_MONITOR_BLOCK_ENTRIES": "what enters no more while a position is unexplained: pair, consumer or never",
    "QUANTBUS_MONITOR_ACCOUNT_STALE_SECONDS": "how old a snapshot of the account may be",
    "QUANTBUS_MONITOR_AMOUNT_TOLERANCE": "share by which account and bot may differ in a position",
    "QUANTBUS_MONITOR_DUST_WORTH": "worth of what is left over in an account, in the stake currency",
    "QUANTBUS_MONITOR_IGNORED_CURRENCIES": "JSON list of coins in the account that are not the bot's",
    "QUANTBUS_MONITOR_CANDLE_GRACE_SECONDS": "how long after its close a bar may take to the bus",
    "QUANTBUS_MONITOR_GAP_AFTER_SECONDS": "how long a gap may wait to be filled",
    "QUANTBUS_MONITOR_LIMITED_WITHIN_SECONDS": "how long after its end a rate limit or ban is told",
    "QUANTBUS_MONITOR_UNSEEN_AFTER_SECONDS": "how long a signal may wait for a consumer to see it",
    "QUANTBUS_MONITOR_HEARTBEAT_LOST_AFTER_SECONDS": "how long a process may be without a sign of life",
    "QUANTBUS_MONITOR_SETTLE_SECONDS": "how long trades, ledger and signals may disagree while orders are under way",
    "QUANTBUS_MONITOR_ALERT_URLS_FILE": "file with messengers' addresses as apprise writes them, one a line",
    "QUANTBUS_MONITOR_ALERT_TOKEN_FILE": "file with the token that Alertmanager posts with; unset: this machine only",
    "QUANTBUS_MONITOR_DEADMAN_AFTER_SECONDS": "how long Prometheus's Watchdog may stay away; 0: for ever",
    "QUANTBUS_ALERTMANAGER_MONITOR_URL": "address of the monitor, as Alertmanager reaches it",
    "QUANTBUS_ALERTMANAGER_TOKEN_FILE": "where Alertmanager finds the token of the monitor's /alerts",
    "QUANTBUS_ALERTMANAGER_DEADMAN_URL": "a dead-man service elsewhere that the Watchdog calls",
    "QUANTBUS_ALERTMANAGER_EMAIL_TO": "who gets alerts by mail",
    "QUANTBUS_ALERTMANAGER_EMAIL_FROM": "sender of those mails",
    "QUANTBUS_ALERTMANAGER_SMTP_HOST": "host and port of the mail server",
    "QUANTBUS_ALERTMANAGER_SMTP_TLS": "false for a mail server that does not encrypt",
    "QUANTBUS_ALERTMANAGER_SMTP_USER": "user of the mail server",
    "QUANTBUS_ALERTMANAGER_SMTP_PASSWORD_FILE": "where Alertmanager finds the mail server's password",
    "QUANTBUS_ALERTMANAGER_TELEGRAM_CHAT": "number of the Telegram chat that gets alerts",
    "QUANTBUS_ALERTMANAGER_TELEGRAM_TOKEN_FILE": "file with the token of the Telegram bot that writes them",
    "QUANTBUS_ALERTMANAGER_TELEGRAM_URL": "base address that stands in for Telegram's own",
    "QUANTBUS_MONITOR_REFUSED_SHARE": "share of a bot's signals that may be refused for one reason",
    "QUANTBUS_MONITOR_REFUSED_LEAST": "how many refusals are too few to say anything",
    "QUANTBUS_MONITOR_REJECTS_IN_A_ROW": "how many orders in a row the venue may reject",
    "QUANTBUS_MONITOR_SLIPPAGE_RATIO": "mean slippage that a bot's fills may have: 0.005 is half a percent",
    "QUANTBUS_MONITOR_BALANCE_FLOORS": "JSON object of what a bot must have free of each currency",
    "QUANTBUS_MONITOR_DRAWDOWN_RATIO": "how far a bot may fall below its highest balance: 0.15 is 15 percent",
    "QUANTBUS_MONITOR_DAILY_LOSS_RATIO": "how much a bot may lose since midnight UTC: 0.05 is five percent",
    "QUANTBUS_MONITOR_LOOP_STALE_AFTER_SECONDS": "how long Freqtrade's loop may stand still",
    "QUANTBUS_MONITOR_CLOCK_OFFSET_SECONDS": "how far clocks may be apart",
    "QUANTBUS_MONITOR_REPLICA_LAG_SECONDS": "how far a member of the replica set may be behind",
    "QUANTBUS_MONITOR_DISK_FREE_RATIO": "share of the bus's disk that must be free",
    "QUANTBUS_MONITOR_CONTROL_FORGOTTEN_AFTER_SECONDS": "how long a control without an end may stand untold",
    "QUANTBUS_DOCTOR_MONITOR_URL": "address of the monitor that `quantbus doctor` asks",
    "QUANTBUS_DOCTOR_GATEWAY_URL": "address of the gateway that it asks",
    "QUANTBUS_DOCTOR_PROMETHEUS_URL": "address of the Prometheus that it asks",
    "QUANTBUS_DOCTOR_ALERTMANAGER_URL": "address of the Alertmanager that it asks",
    "QUANTBUS_DOCTOR_TIMEOUT_SECONDS": "how long each of those may take to answer",
    "QUANTBUS_DOCTOR_COMMAND_SECONDS": "how long another command that it asks may take",
    "QUANTBUS_GATEWAY_HOST": "address that the gateway listens on; 127.0.0.1 unless in a container",
    "QUANTBUS_GATEWAY_PORT": "port of the gateway",
    "QUANTBUS_GATEWAY_READY_FILE": "where the gateway writes its address once the bus has answered",
    "QUANTBUS_GATEWAY_INSTANCE": "name of the gateway in its heartbeat",
    "QUANTBUS_GATEWAY_RATE_PER_SECOND": "requests a second that each key may make for long",
    "QUANTBUS_GATEWAY_RATE_BURST": "requests that each key may make at once",
    "QUANTBUS_GATEWAY_FAILURES_PER_MINUTE": "failed authentications that one client address may have for long",
    "QUANTBUS_GATEWAY_BODY_BYTES": "longest body of a request",
    "QUANTBUS_GATEWAY_BATCH_ROWS": "most signals in one request",
    "QUANTBUS_GATEWAY_IN_FLIGHT": "requests that are worked on at once; more are asked to come back",
    "QUANTBUS_GATEWAY_REQUEST_SECONDS": "longest time that one request may take",
    "QUANTBUS_GATEWAY_BUS_SECONDS": "how long the bus may take to answer",
    "QUANTBUS_GATEWAY_KEY_SECONDS": "how long a key is trusted without asking the bus again; bounds a revocation",
    "QUANTBUS_PAPER_HOST": "address that the paper exchange listens on",
    "QUANTBUS_PAPER_PORT": "port of the paper exchange; 0 takes a free one",
    "QUANTBUS_PAPER_DATA": "Parquet files or folders to replay, separated as in PATH; unset means made-up candles",
    "QUANTBUS_PAPER_FROM_BUS": "true to replay the candles stored on the bus",
    "QUANTBUS_PAPER_SYMBOLS": "pairs that the paper exchange lists: BTC/USDT,ETH/USDT",
    "QUANTBUS_PAPER_VENUE": "exchange whose recordings are replayed",
    "QUANTBUS_PAPER_TIMEFRAME": "timeframe of the recordings to replay",
    "QUANTBUS_PAPER_SEED": "seed of made-up candles",
    "QUANTBUS_PAPER_HISTORY": "how much lies behind now when replay starts: 36h, 10d",
    "QUANTBUS_PAPER_START": "what the paper exchange's clock shows at its anchor; unset means the wall clock's time",
    "QUANTBUS_PAPER_SPEED": "how fast the paper exchange's clock runs; at 60 a bar of a minute closes every second",
    "QUANTBUS_PAPER_ANCHOR": "wall clock's time at which the paper exchange's time began; the same one keeps its place",
    "QUANTBUS_PAPER_ANCHOR_FILE": "file in which the paper exchange's first start keeps its anchor for later ones",
    "QUANTBUS_PAPER_GAPS": "share of made-up minutes that are missing",
    "QUANTBUS_PAPER_QUIET": "share of made-up minutes without a trade",
    "QUANTBUS_PAPER_FUTURES": "false to list no perpetual swaps on the paper exchange",
    "QUANTBUS_PAPER_EVENTS": "JSON file with events of the paper exchange's market list",
    "QUANTBUS_PAPER_READY_FILE": "file that tells address, pid and kind of data once the paper exchange serves",
    "QUANTBUS_PAPER_FAULTS": "faults of the paper exchange from its start on, with semicolons: rate_limited share=0.05",
    "QUANTBUS_PAPER_QUOTES": "currencies that names of candle files may end in, separated by commas",
    "QUANTBUS_PAPER_ACCOUNTS": "true to let the paper exchange take orders of API-key accounts",
    "QUANTBUS_PAPER_ACCOUNT_FILE": "JSON list of accounts, with keys, that the paper exchange opens",
    "QUANTBUS_PAPER_STATE": "file that keeps the paper exchange's accounts and orders over restarts",
    "QUANTBUS_SHARED_DATA": "folder of recorded market data that tests use",
    **{
        f"QUANTBUS_{role}_PASSWORD_FILE": f"file with the password that `bus init --with-auth` gives to {user}"
        for role, user in {
            "INGEST": "ingestion",
            "RESEARCH": "research",
            "GATEWAY": "the gateway",
            "EXECUTOR": "the bot",
            "ACCOUNT": "the account service",
            "MONITOR": "the monitor",
            "OPERATOR": "the command line",
            "MIGRATE": "`bus init`",
        }.items()
    },
}

BOT_NAMES: dict[str, str] = {
    "EXT_SIG_MONGO_URI": "address of MongoDB for this bot; outranks QUANTBUS_MONGO_URI",
    "EXT_SIG_DB": "database of the signals that the bot follows",
    "EXT_SIG_COLLECTION": "what crypto_signals is called there",
    "EXT_SIG_STRATEGY_ID": "whose signals the bot follows",
    "EXT_SIG_CONSUMER_ID": "what the bot is called in the ledger",
    "EXT_SIG_QUERY_TIMEOUT_MS": "greatest time for one question of the bot to the bus",
}
"""What the bot reads besides, and outranks Freqtrade's config with."""


class ProcessSettings(BaseSettings):
    """Base of every settings class: frozen, closed, read from the environment and ``.env``."""

    model_config = SettingsConfigDict(
        env_prefix="QUANTBUS_",
        env_nested_delimiter="__",
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",  # one .env serves all processes; check_environment() finds misspelt names
        hide_input_in_errors=True,
    )

    def model_post_init(self, context: object, /) -> None:
        """Tell the redactor of every secret that these settings hold."""
        for name in type(self).model_fields:
            held = getattr(self, name)
            text = held.get_secret_value() if isinstance(held, SecretStr) else held
            if isinstance(text, str) and "://" in text:
                conceal_address(text)
            elif isinstance(held, SecretStr):
                conceal(held.get_secret_value())


class HomeSettings(ProcessSettings):
    """Where running processes keep their files, and how they log."""

    home: Path = Path(".quantbus")
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_json: bool = False


class MongoSettings(ProcessSettings):
    """Where the bus is, and what its three databases are called."""

    home: Path = Path(".quantbus")
    mongo_uri: SecretStr | None = None
    mongo_user: str | None = Field(None, min_length=1, max_length=128)
    mongo_password_file: Path | None = None
    market_db: str = Field("quantbus_market", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    signals_db: str = Field("quantbus_signals", pattern=r"^[A-Za-z0-9_-]{1,60}$")
    trading_db: str = Field("quantbus_trading", pattern=r"^[A-Za-z0-9_-]{1,60}$")


def load_settings(kind: type[SettingsT], **overrides: object) -> SettingsT:
    """Build settings of ``kind``; overrides (from the command line) win where they are not None.

    Whatever starts a process, its settings come from here: so it is here that a name that nothing reads, in the
    environment or in ``.env``, ends the start.

    Raises
    ------
    ConfigError
        Naming each variable that is wrong or unknown, what was expected and what to do.
    """
    check_environment()
    return _load(kind, overrides, {})


def read_settings(kind: type[SettingsT]) -> SettingsT:
    """Build settings whatever other names stand about: for a command that tells of those itself."""
    return _load(kind, {}, {})


def load_options(
    kind: type[SettingsT], named: Mapping[str, str] | None = None, /, **options: object
) -> SettingsT:
    """Build settings as `load_settings` does; a wrong value of ``options`` is told under its option's name.

    An option is called as its field is (``metrics_port``: ``--metrics-port``) unless ``named`` says otherwise.
    """
    check_environment()
    return _load(kind, options, {name: f"--{name.replace('_', '-')}" for name in options} | dict(named or {}))


def _load(kind: type[SettingsT], overrides: Mapping[str, object], options: Mapping[str, str]) -> SettingsT:
    given = {name: value for name, value in overrides.items() if value is not None}
    prefix = str(kind.model_config.get("env_prefix", ""))
    try:
        return kind(**given)  # type: ignore[arg-type]  # fields by name; pydantic checks them
    except ValidationError as error:
        lines = []
        for item in error.errors(include_input=False, include_url=False):
            first, *rest = (str(part) for part in item["loc"])
            variable = f"{prefix}{'__'.join((first, *rest)).upper()}"
            name = options.get(first, variable) if first in given else variable
            lines.append(f"{name}: {item['msg'].removeprefix('Value error, ')}")
        raise ConfigError("settings are wrong:\n  " + "\n  ".join(lines)) from None
    except (
        SettingsError
    ) as error:  # a value that should be JSON; its text is not repeated: it may be a secret
        named = re.search(r'field "(\w+)"', str(error))
        name = f"{prefix}{named[1]}".upper() if named else "one of them"
        raise ConfigError(f'settings are wrong:\n  {name}: expected JSON, such as ["a", "b"]') from None


def check_environment(environment: Mapping[str, str] | None = None) -> None:
    """Refuse ``QUANTBUS_*`` and ``EXT_SIG_*`` names that nothing reads; without an argument also those in ``.env``.

    Raises
    ------
    ConfigError
        Naming each unknown variable and the nearest known one.
    """
    lines = unknown_names(environment)
    if not lines:
        return
    raise ConfigError(
        "these environment variables are not read by anything: "
        + ", ".join(lines)
        + "; correct or unset them (`quantbus settings` lists every name)"
    )


def unknown_names(environment: Mapping[str, str] | None = None) -> list[str]:
    """Return the names that `check_environment` would refuse, each with the nearest known one."""
    names = set(environment) if environment is not None else {*os.environ, *_names_in_file()}
    known = KNOWN_NAMES | BOT_NAMES
    # Settings are read whatever the case, so a misspelt name is one whatever the case.
    ours = {name for name in names if name.upper().startswith(("QUANTBUS_", "EXT_SIG_"))}
    lines = []
    for name in sorted(name for name in ours if name.upper() not in known):
        near = get_close_matches(name.upper(), known, n=1)
        lines.append(name + (f" (did you mean {near[0]}?)" if near else ""))
    return lines


def _names_in_file() -> set[str]:
    file = Path(str(ProcessSettings.model_config["env_file"]))
    return set(dotenv_values(file, interpolate=False)) if file.is_file() else set()
