"""Whether money, secrets and the memory of what was traded are safe."""

import os
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from quantbus_contracts.errors import ConfigError
from quantbus_executor.checking.findings import Finding, error, note, warning
from quantbus_executor.checking.plan import BotPlan
from quantbus_executor.claims.claim import ClaimState
from quantbus_executor.claims.opening import claims_file
from quantbus_executor.claims.register import ClaimRegister
from quantbus_executor.configs.reading import read_config
from quantbus_executor.configs.tailored import KEY_NAMES
from quantbus_executor.settings import BLOCK

__all__ = ["safety"]

_SHORTEST_SECRET = 32
_EMPTIED = (("tmp",), ("dev",), ("run",))
"""First folders of paths that no disk keeps."""
_ACCOUNT_NAMES = ("key", "apiKey", "privateKey", "private_key", "walletAddress", "wallet_address")
"""By any of these an exchange knows an account; decentralised ones by a wallet."""
_LOCAL = ("127.0.0.1", "::1", "localhost")


def safety(plan: BotPlan) -> Iterator[Finding]:
    """Look at what must not go wrong."""
    yield from _money(plan)
    yield from _secrets(plan)
    yield from _database(plan)
    yield from _claims(plan)
    yield from _doubts(plan)
    yield from _api(plan)
    yield from _rules(plan)


def _money(plan: BotPlan) -> Iterator[Finding]:
    exchange = plan.block("exchange")
    held = any(exchange.get(name) for name in KEY_NAMES)
    if not isinstance(plan.config.get("dry_run"), bool):
        yield error("dry-run", "dry_run is neither true nor false: say whether real orders may be sent")
    elif plan.is_live and not any(exchange.get(name) for name in _ACCOUNT_NAMES):
        yield error(
            "keys",
            "real orders need an account: put its key into FREQTRADE__EXCHANGE__KEY and FREQTRADE__EXCHANGE__SECRET",
        )
    elif not plan.is_live and held:
        yield warning("keys", "a dry run needs no exchange keys: keep them where no test reads them")
    address = _address(exchange)
    if address is not None:
        yield note(
            "venue-address",
            f"the exchange is asked at {address}, not at its own address: right for the paper exchange only",
        )


def _address(exchange: Mapping[str, Any]) -> str | None:
    for name in ("ccxt_config", "ccxt_sync_config", "ccxt_async_config"):
        block = exchange.get(name)
        urls = block.get("urls") if isinstance(block, dict) else None
        api = urls.get("api") if isinstance(urls, dict) else None
        if isinstance(api, dict) and isinstance(api.get("public"), str):
            return str(api["public"])
    return None


def _secrets(plan: BotPlan) -> Iterator[Finding]:
    for path in plan.files:
        names = list(_secrets_of(read_config(path)))
        if not names:
            continue
        if stat.S_IMODE(Path(path).stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            yield error(
                "readable-secrets",
                f"{path} holds {', '.join(names)} and others on this machine may read it: `chmod 600 {path}`",
            )
        elif any(name.startswith("exchange.") for name in names):
            yield warning(
                "keys-in-file",
                f"{path} holds the keys of the account: the environment (FREQTRADE__EXCHANGE__KEY, "
                "FREQTRADE__EXCHANGE__SECRET) keeps them out of files that get copied",
            )


def _secrets_of(config: Mapping[str, Any]) -> Iterator[str]:
    places = {
        "exchange": KEY_NAMES,
        "api_server": ("password", "jwt_secret_key", "ws_token"),
        "telegram": ("token",),
        BLOCK: ("mongo_uri",),
    }
    for block, names in places.items():
        found = config.get(block)
        held = found if isinstance(found, dict) else {}
        for name in names:
            if held.get(name) and (name != "mongo_uri" or "@" in str(held[name])):
                yield f"{block}.{name}"


def _database(plan: BotPlan) -> Iterator[Finding]:
    url = plan.config.get("db_url")
    if url in ("sqlite://", "sqlite:///:memory:"):
        told = "the bot forgets its trades when it ends, and would enter upon the same signals again"
        yield (error if plan.is_live else warning)(
            "database",
            f"db_url is in memory: {told}; name a file, such as sqlite:////var/lib/bot/trades.sqlite",
        )
    elif url is None:
        yield warning(
            "database",
            "there is no db_url, so the trades lie in whichever folder the bot is started from: name a file",
        )
    elif plan.is_live and "dry" in str(url).rpartition("/")[2]:
        yield error(
            "database",
            f"{url} looks like a dry run's: trades that were never made would be managed with real money; name another",
        )


def _claims(plan: BotPlan) -> Iterator[Finding]:
    if plan.settings is None:
        return
    path = claims_file(plan.settings, plan.config).absolute()
    folder = next(parent for parent in path.parents if parent.exists())
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        yield error(
            "claims-file",
            f"{path} cannot be written, and without its claims the bot does not start: set external_signal.claims.file "
            "to a place that the bot may write to",
        )
    elif plan.is_live and path.parts[1:2] in _EMPTIED:
        yield warning(
            "claims-file",
            f"{path} lies where a restart of the machine may remove it, and with it the knowledge of what was ordered: "
            "set db_url, or external_signal.claims.file, to a disk that stays",
        )


def _doubts(plan: BotPlan) -> Iterator[Finding]:
    path = claims_file(plan.settings, plan.config).absolute() if plan.settings is not None else None
    if path is None or not path.is_file():
        return
    try:
        register = ClaimRegister(path, exclusive=False)
    except ConfigError as failure:
        yield error("claims-file", str(failure))
        return
    pairs = sorted({claim.wish.pair for claim in register.in_state(ClaimState.UNKNOWN)})
    register.close()
    if pairs:
        yield warning(
            "doubts",
            f"{', '.join(pairs)} will not be entered until a person has said what became of an order: "
            f"`quantbus executor claims {path}`",
        )


def _api(plan: BotPlan) -> Iterator[Finding]:
    api = plan.block("api_server")
    if api.get("enabled") is True:
        if not api.get("password") or len(str(api.get("jwt_secret_key", ""))) < _SHORTEST_SECRET:
            yield error(
                "api",
                "api_server is on without a password and a jwt_secret_key of 32 characters: "
                "`quantbus executor config --api-port` makes both up",
            )
        if api.get("listen_ip_address") not in _LOCAL:
            yield warning(
                "api",
                f"the bot's API listens on {api.get('listen_ip_address')!r}: whoever reaches it can trade; listen on "
                "127.0.0.1, or let nobody in but a private network",
            )
    elif plan.is_live:
        yield warning(
            "api",
            "api_server is off, so the monitor cannot compare the bot's trades with the ledger and nobody can stop it "
            "but by ending it: `quantbus executor config --api-port` turns it on",
        )
    if plan.value("force_entry_enable") is True:
        yield note("force-entry", "force_entry_enable lets a person enter without any signal")


def _rules(plan: BotPlan) -> Iterator[Finding]:
    if plan.settings is None:
        return
    restraints = plan.settings.restraints
    if plan.is_live and plan.settings.rules.accept_replay:
        yield error(
            "replay-database", "rules.replay_database lets replayed signals trade with real money: remove it"
        )
    if not restraints.controls:
        yield warning(
            "restraints",
            "restraints.controls is off, so `quantbus controls` cannot stop this bot: remove it from the config",
        )
    if plan.is_live and restraints.fail_open:
        yield warning(
            "restraints",
            "restraints.when_unreadable is open, so a bot that cannot read whether it was stopped goes on entering: "
            "set it to closed, or accept that knowingly",
        )
