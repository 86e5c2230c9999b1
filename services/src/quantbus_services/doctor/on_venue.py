"""Judges the exchange and the bot's config by what the commands that know them said; pure."""

from collections.abc import Collection

from quantbus_services.doctor.asking import Answer
from quantbus_services.doctor.findings import Finding, fail, ok, unknown, warn
from quantbus_services.doctor.on_bus import CLOCK_SECONDS

__all__ = ["CONFIG", "KEY", "VENUE", "config_finding", "key_finding", "venue_finding"]

VENUE = "an exchange that answers, with the same time as here"
KEY = "a key that cannot withdraw"
CONFIG = "a config that `quantbus executor check` passes"
_SHOWN = 3


def venue_finding(answer: Answer) -> Finding:
    """Judge what ``quantbus ingest clock --json`` said."""
    if answer.code is None:
        return unknown("venue", VENUE, answer.words, "look again; run `quantbus ingest clock` for more")
    if answer.code != 0 or not isinstance(answer.told, dict):
        advice = (
            "let this machine reach it (proxy, firewall, DNS), or name another with QUANTBUS_INGESTION_VENUE"
        )
        return fail("venue", VENUE, answer.words, advice)
    name, offset = answer.told.get("venue"), answer.told.get("offset_seconds")
    if offset is None:
        return ok("venue", VENUE, f"{name} answers; it does not tell its time")
    told = f"{name} answers; its clock is {offset:+.3f} s from ours"
    # The venue's time is as old as its answer took to come, so a little behind says nothing.
    if offset > CLOCK_SECONDS or offset < -5 * CLOCK_SECONDS:
        return fail("venue", VENUE, told, "let this machine keep its time by NTP (chrony)")
    return ok("venue", VENUE, told)


def key_finding(answer: Answer) -> Finding:
    """Judge what ``quantbus account rights --json`` said."""
    if not isinstance(answer.told, dict):
        return unknown(
            "venue-key", KEY, answer.words, "run `quantbus account rights` where the exchange is reached"
        )
    venue, withdraws = answer.told.get("venue"), answer.told.get("can_withdraw")
    if withdraws is True:
        advice = "take that right from the key at the venue, and bind the key to this address"
        return fail("venue-key", KEY, f"the key for {venue} may withdraw", advice)
    if withdraws is None:
        advice = "look at the key on the venue's page, and write down who looked and when"
        return unknown("venue-key", KEY, f"{venue} does not tell what a key may do", advice)
    if answer.told.get("can_trade"):
        advice = "make a read-only key for the account service: it never orders anything"
        return warn("venue-key", KEY, f"the key for {venue} cannot withdraw; it may trade", advice)
    return ok("venue-key", KEY, f"the key for {venue} can only read")


def config_finding(name: str, answer: Answer, *, settled: Collection[str] = ()) -> Finding:
    """Judge what ``quantbus executor check --json`` said of one bot; warnings of ``settled`` are seen to elsewhere."""
    if not isinstance(answer.told, dict) or "fit" not in answer.told:
        advice = f"run `quantbus executor check --config {name}` where the bot runs"
        judge = fail if answer.code == 2 and "not installed" not in answer.words else unknown
        return judge("bot-config", CONFIG, f"{name}: {answer.words}", advice)
    rows = [
        row
        for row in answer.told["findings"]
        if row["severity"] == "error" or (row["severity"] == "warning" and row["check"] not in settled)
    ]
    told = "; ".join(f"{row['check']}: {row['message']}" for row in rows[:_SHOWN])
    told += f"; and {len(rows) - _SHOWN} more" if len(rows) > _SHOWN else ""
    advice = f"`quantbus executor check --config {name}` says more"
    if not answer.told["fit"]:
        return fail("bot-config", CONFIG, f"{name}: {told}", advice)
    if rows:
        return warn("bot-config", CONFIG, f"{name}: fit to start; {told}", advice)
    return ok("bot-config", CONFIG, f"{name}: fit to start")
