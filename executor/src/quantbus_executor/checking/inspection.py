"""Puts a check together: reads the files, asks the bus, and returns the findings, the worst first."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

from quantbus_contracts.clock import Clock
from quantbus_contracts.errors import BusError, ConfigError, QuantbusError
from quantbus_contracts.mongo.client import connect
from quantbus_contracts.runtime.redaction import redact
from quantbus_executor.checking.bus_facts import ask_bus
from quantbus_executor.checking.entering import entering
from quantbus_executor.checking.findings import Finding, error, note
from quantbus_executor.checking.leaving import leaving
from quantbus_executor.checking.markets import markets
from quantbus_executor.checking.on_the_bus import on_the_bus
from quantbus_executor.checking.plan import BotPlan
from quantbus_executor.checking.safety import safety
from quantbus_executor.checking.strategy_file import find_strategy
from quantbus_executor.configs.reading import merged_config
from quantbus_executor.settings import ExecutorSettings

__all__ = ["WITHOUT_BUS", "inspect", "read_plan", "without_bus"]

WITHOUT_BUS: tuple[Callable[[BotPlan], Iterator[Finding]], ...] = (markets, entering, leaving, safety)
"""What needs the files only."""

_STRATEGY = "ExternalSignalStrategy"
_TIMEOUT_SECONDS = 3.0


def inspect(
    paths: Sequence[Path], userdir: Path, environment: Mapping[str, str], clock: Clock, *, ask: bool = True
) -> list[Finding]:
    """Return all that is to be said about these configs; with ``ask`` also held against the bus.

    Raises
    ------
    ConfigError
        If a file is missing or no config.
    """
    plan, findings = read_plan(paths, userdir, environment)
    findings += without_bus(plan)
    if ask and plan.settings is not None:
        findings += _asked(plan, plan.settings, clock)
    elif ask:
        findings.append(note("bus", "the bus was not asked, since the settings of the bot cannot be read"))
    return sorted(findings, key=lambda finding: finding.severity.rank)


def read_plan(
    paths: Sequence[Path], userdir: Path, environment: Mapping[str, str]
) -> tuple[BotPlan, list[Finding]]:
    """Return what the bot would run with, and what is wrong with it already."""
    config = merged_config(paths, environment)
    name = str(config.get("strategy") or _STRATEGY)
    extra = config.get("strategy_path")
    folders = [*([Path(str(extra))] if extra else []), userdir / "strategies"]
    plan = BotPlan(config=config, files=tuple(paths), strategy=find_strategy(name, folders))
    findings = list(_of_strategy(plan, name, folders))
    try:
        with_bars: dict[str, Any] = {**config, "timeframe": plan.value("timeframe")}
        plan = replace(plan, settings=ExecutorSettings.load(with_bars, environment))
    except QuantbusError as failure:
        findings += _of_settings(str(failure))
    return plan, findings


def without_bus(plan: BotPlan) -> list[Finding]:
    """Return what the files alone tell."""
    return [finding for look in WITHOUT_BUS for finding in look(plan)]


def _of_strategy(plan: BotPlan, name: str, folders: Iterable[Path]) -> Iterator[Finding]:
    if plan.strategy is None:
        searched = ", ".join(str(folder) for folder in folders)
        yield error(
            "strategy-file",
            f"no class {name} was found in {searched}: name the folder with --userdir, or correct strategy",
        )
    elif name != _STRATEGY:
        yield note(
            "strategy-file", f"{name} is not {_STRATEGY}: only what its file says plainly is known here"
        )


def _of_settings(told: str) -> Iterator[Finding]:
    first, *lines = re.split(r"\n\s*", told)
    for line in lines or [first]:
        yield error("settings", redact(line))


def _asked(plan: BotPlan, settings: ExecutorSettings, clock: Clock) -> Iterator[Finding]:
    try:
        connection = connect(
            settings.mongo,
            app="executor-check",
            timeout_seconds=_TIMEOUT_SECONDS,
            renamed={"crypto_signals": settings.collection},
        )
        with closing(connection):
            facts = ask_bus(connection, settings, plan, clock)
    except (BusError, ConfigError) as failure:
        yield error("bus", redact(str(failure)))
    else:
        yield from on_the_bus(plan, settings, facts)
