"""The composition root: what is looked at, in which order, with which settings."""

from collections.abc import Collection, Sequence
from pathlib import Path

from quantbus_contracts.cli.access import administrator
from quantbus_contracts.clock import SystemClock
from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import MongoSettings, read_settings
from quantbus_services.doctor.asking import Answer, ask
from quantbus_services.doctor.asking_pages import pages_of
from quantbus_services.doctor.examination import examine_bots, examine_bus, examine_venue
from quantbus_services.doctor.findings import Finding
from quantbus_services.doctor.looking_at_compose import stack_findings
from quantbus_services.doctor.looking_here import machine_facts
from quantbus_services.doctor.on_machine import machine_findings
from quantbus_services.doctor.on_watch import watch_findings
from quantbus_services.doctor.settings import DoctorSettings, environment

__all__ = ["look_around", "look_at_stack"]

_PUBLISHED = {
    "monitor": "http://127.0.0.1:8710",
    "gateway": "http://127.0.0.1:8720",
    "prometheus": "http://127.0.0.1:9090",
    "alertmanager": "http://127.0.0.1:9093",
}


def look_around(parts: Collection[str], bot_configs: Sequence[Path], *, offline: bool) -> list[Finding]:
    """Look at these parts of the installation, from where this process runs.

    Raises
    ------
    ConfigError
        If the doctor's own settings are wrong.
    """
    settings = read_settings(DoctorSettings)
    mongo = _mongo()
    clock = SystemClock()

    def asked(arguments: Sequence[str]) -> Answer:
        return ask(arguments, settings.command_seconds)

    found: list[Finding] = []
    if "machine" in parts:
        found += machine_findings(machine_facts(mongo.home if mongo else Path(".quantbus")))
    if "bus" in parts:
        found += examine_bus(mongo, clock)
    if "venue" in parts:
        found += examine_venue(environment(), asked, offline=offline)
    if "bot" in parts:
        found += examine_bots(bot_configs, asked)
    if "watch" in parts:
        addresses = {
            "monitor": settings.monitor_url,
            "gateway": settings.gateway_url,
            "prometheus": settings.prometheus_url,
            "alertmanager": settings.alertmanager_url,
        }
        found += watch_findings(pages_of(addresses, settings.timeout_seconds))
    return found


def look_at_stack(folder: Path, *, offline: bool) -> list[Finding]:
    """Look at this machine and at the containers of ``folder``; who keeps watch is asked where it is published."""
    settings = read_settings(DoctorSettings)
    mongo = _mongo()
    found = machine_findings(machine_facts(mongo.home if mongo else Path(".quantbus")))
    found += stack_findings(folder, settings.command_seconds, offline=offline)
    addresses = {name: getattr(settings, f"{name}_url") or address for name, address in _PUBLISHED.items()}
    return found + watch_findings(pages_of(addresses, settings.timeout_seconds))


def _mongo() -> MongoSettings | None:
    """Return where the bus is; None where the settings are wrong, which is a finding of the machine."""
    try:
        return administrator(read_settings(MongoSettings))
    except ConfigError:
        return None
