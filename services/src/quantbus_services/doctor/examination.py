"""Looks at every part that was asked for, one after the other; no part that fails hides another."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from pathlib import Path

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.mongo.server_facts import server_facts
from quantbus_contracts.runtime.redaction import redact
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.doctor.asking import Answer
from quantbus_services.doctor.catalogue import checks_of
from quantbus_services.doctor.findings import Finding, fail, ok, skipped, unknown
from quantbus_services.doctor.on_bus import bus_findings
from quantbus_services.doctor.on_venue import CONFIG, KEY, VENUE, config_finding, key_finding, venue_finding

__all__ = ["WITHOUT_BUS", "examine_bots", "examine_bus", "examine_venue"]

WITHOUT_BUS = "mend bus-answers first"
"""The advice of every check that a dead bus keeps from being made."""
_BUS_SECONDS = 5.0
_ANSWERS = "a bus that answers and lets this user in"
Ask = Callable[[Sequence[str]], Answer]
"""Another command of quantbus, for its JSON."""


def examine_bus(settings: MongoSettings | None, clock: Clock) -> list[Finding]:
    """Ask the server everything; without an answer every other check of it is unknown."""
    if settings is None:
        return [_dead("the settings say nothing that can be read", "correct the settings"), *_unasked()]
    try:
        with closing(connect(settings, app="doctor", timeout_seconds=_BUS_SECONDS)) as connection:
            facts = server_facts(connection, clock)
    except (BusError, ConfigError) as error:
        advice = (
            "start it (`quantbus bus up`, `docker compose up`), or correct QUANTBUS_MONGO_URI and the user"
        )
        return [_dead(redact(str(error)), advice), *_unasked()]
    return [ok("bus-answers", _ANSWERS, f"MongoDB {facts.version}"), *bus_findings(facts)]


def _dead(found: str, advice: str) -> Finding:
    return fail("bus-answers", _ANSWERS, found, advice)


def _unasked() -> Iterable[Finding]:
    for name in checks_of("bus"):
        if name != "bus-answers":
            yield unknown(name, "an answer of the bus", "none", WITHOUT_BUS)


def examine_venue(variables: Mapping[str, str], ask: Ask, *, offline: bool) -> list[Finding]:
    """Ask the exchange for its time, and what the account's key may do where there is one."""
    if offline:
        return [skipped("venue", VENUE, "--offline"), skipped("venue-key", KEY, "--offline")]
    found = [venue_finding(ask(("ingest", "clock", "--json")))]
    if not _has_key(variables):
        advice = "set QUANTBUS_ACCOUNT_KEY_FILE and QUANTBUS_ACCOUNT_SECRET_FILE where the account is watched"
        return [*found, skipped("venue-key", KEY, "no key of an account is named", advice)]
    return [*found, key_finding(ask(("account", "rights", "--json")))]


def _has_key(variables: Mapping[str, str]) -> bool:
    return bool(variables.get("QUANTBUS_ACCOUNT_KEY") or variables.get("QUANTBUS_ACCOUNT_KEY_FILE"))


def examine_bots(configs: Sequence[Path], ask: Ask) -> list[Finding]:
    """Let the executor check the configs; without one there is nothing to check."""
    if not configs:
        return [skipped("bot-config", CONFIG, "none is given", "give it with --bot-config")]
    return [
        config_finding(str(path), ask(("executor", "check", "--config", str(path), "--json")))
        for path in configs
    ]
