"""What the doctor makes of what a server says."""

from dataclasses import replace
from typing import Any

import pytest

from quantbus_contracts.mongo.schema_guard import RESTORING, SCHEMA_VERSION
from quantbus_contracts.mongo.server_facts import ClockFacts, DiskFacts, StartFacts, Unsaid, UserFacts
from quantbus_contracts.schema import MemberHealth
from quantbus_services.doctor.catalogue import checks_of
from quantbus_services.doctor.findings import Finding
from quantbus_services.doctor.on_bus import bus_findings
from tests.unit.services.doctor.facts import MEMBERS, PRIMARY, SOUND, START

BEHIND, SECOND = MemberHealth("b:1", "secondary", 30.0), MemberHealth("b:1", "secondary", 0.0)
THIRD, GONE, ARBITER = (
    MemberHealth("c:1", "secondary", 0.1),
    MemberHealth("c:1", "other", None),
    MemberHealth("c:1", "arbiter", None),
)


def judged(**changes: Any) -> dict[str, Finding]:
    return {one.check: one for one in bus_findings(replace(SOUND, **changes))}


def members(*found: MemberHealth, **changes: Any) -> dict[str, Any]:
    return {"members": replace(MEMBERS, members=found, **changes)}


def test_a_server_without_fault_is_told_to_be_so_in_every_check() -> None:
    assert {one.status for one in judged().values()} == {"ok"}
    assert ["bus-answers", *judged()] == list(checks_of("bus"))


@pytest.mark.parametrize(
    ("changes", "check", "status", "told"),
    [
        ({"version": "5.0.31"}, "server-version", "fail", "5.0.31"),
        ({"version": "7.3.1"}, "server-version", "warn", "7.3.1"),
        ({"version": "home-made"}, "server-version", "unknown", "home-made"),
        ({"start": replace(START, compressors=None)}, "compressors", "warn", "default"),
        ({"version": "7.0.27", "start": replace(START, compressors=None)}, "compressors", "fail", "default"),
        ({"start": replace(START, scripting=True)}, "scripting", "fail", "on"),
        ({"start": replace(START, journal=False)}, "journal", "fail", "off"),
        ({"members": None}, "replica-set", "fail", "on its own"),
        ({"members": None}, "write-concern", "fail", "no majority"),
        (members(SECOND, THIRD), "replica-set", "fail", "no primary"),
        (members(PRIMARY, SECOND, GONE), "replica-set", "fail", "c:1"),
        (members(PRIMARY, BEHIND, THIRD), "replica-set", "fail", "30 s behind"),
        (members(PRIMARY, SECOND, ARBITER), "replica-set", "warn", "no write has a majority"),
        (members(PRIMARY, SECOND), "replica-set", "warn", "either of two"),
        (members(PRIMARY, SECOND, THIRD), "replica-set", "ok", "c:1 secondary"),
        (members(PRIMARY, majority_is_journaled=False), "journal", "fail", "is false"),
        (members(PRIMARY, default_write="1"), "write-concern", "warn", "w: 1"),
        ({"transaction_seconds": 60.0}, "transactions", "warn", "60 s"),
        ({"access_control": False}, "access-control", "fail", "more than this machine"),
        ({"user": UserFacts("", None)}, "user", "fail", "nobody"),
        ({"user": UserFacts("root", None)}, "user", "warn", "root"),
        ({"user": UserFacts("quantbus_ingest", "ingest", ("a: find",))}, "user", "fail", "a: find"),
        ({"user": UserFacts("quantbus_ingest", "ingest", (), True)}, "user", "fail", "remove"),
        (
            {"user": UserFacts("quantbus_ingest", "ingest", beyond=("controls: insert",))},
            "user",
            "fail",
            "controls: insert",
        ),
        ({"user": UserFacts("quantbus_ingest", "ingest")}, "user", "ok", "quantbus_ingest"),
        ({"roles": ("quantbus_monitor: no such role",)}, "roles", "fail", "quantbus_monitor"),
        (
            {"schema": SCHEMA_VERSION - 1},
            "schema-version",
            "fail",
            f"{SCHEMA_VERSION - 1}; pending: 2: refused",
        ),
        ({"schema": SCHEMA_VERSION + 1}, "schema-version", "fail", "newer release"),
        ({"schema": RESTORING}, "schema-version", "fail", "not finished"),
        ({"layout": ("fills: collection is not there",)}, "collections", "fail", "fills"),
        ({"layout": ("fills: index a_1 is not unique",)}, "indexes", "fail", "not unique"),
        ({"layout": ("fills: validator only warns",)}, "validators", "fail", "only warns"),
        ({"retention": ("fills: the index at_1 removes",)}, "retention", "fail", "fills: the index at_1"),
        ({"disk": DiskFacts(100.0, 15.0)}, "bus-disk", "warn", "15% free"),
        ({"disk": DiskFacts(100.0, 5.0)}, "bus-disk", "fail", "5% free"),
        ({"disk": DiskFacts(0.0, 0.0)}, "bus-disk", "fail", "0% free"),
        ({"clock": ClockFacts(-1.5, 0.1)}, "clock", "fail", "-1.500 s"),
        ({"clock": ClockFacts(0.2, 3.0)}, "clock", "unknown", "3.000"),
    ],
)
def test_a_fault_is_told_with_what_was_found_and_what_to_do(
    changes: dict[str, Any], check: str, status: str, told: str
) -> None:
    found = judged(**changes)[check]
    assert (found.status, told in found.found) == (status, True), found
    assert found.expected
    assert found.advice or status == "ok"


@pytest.mark.parametrize(
    "field",
    [
        *("start", "members", "transaction_seconds", "schema", "layout", "retention", "disk", "clock"),
        *("roles", "user"),
    ],
)
def test_what_the_server_does_not_tell_is_unknown_and_never_fine(field: str) -> None:
    changed = judged(**{field: Unsaid("this user may not ask that")})
    unknown = {name for name, one in changed.items() if one.status == "unknown"}
    assert unknown
    assert all("may not" in changed[name].found for name in unknown)
    assert {one.status for one in changed.values()} == {"ok", "unknown"}


def test_no_access_control_is_a_warning_on_a_server_that_listens_to_this_machine_only() -> None:
    alone = replace(START, bound_to=("127.0.0.1",))
    found = judged(access_control=False, start=alone, user=UserFacts("", None))
    assert found["access-control"].status == "warn"
    assert found["roles"].status == found["user"].status == "skipped"
    assert judged(access_control=False, start=Unsaid("no"))["access-control"].status == "fail"


@pytest.mark.parametrize("bound_to", [("*",), ("0.0.0.0",), ("127.0.0.1", "10.0.0.7")])  # noqa: S104
def test_no_access_control_fails_on_a_server_that_others_reach(bound_to: tuple[str, ...]) -> None:
    start = StartFacts(scripting=False, compressors=("zstd",), bound_to=bound_to, journal=True)
    assert judged(access_control=False, start=start)["access-control"].status == "fail"


def test_an_index_that_is_something_else_is_not_mended_by_init_alone() -> None:
    absent = judged(layout=("fills: index a_1 is not there",))["indexes"]
    other = judged(layout=("fills: index a_1 is over other fields",))["indexes"]
    assert absent.advice == "run `quantbus bus init`"
    assert "drop" in other.advice


def test_a_long_list_of_faults_is_cut_and_says_so() -> None:
    lines = tuple(f"c{number}: index a_1 is not there" for number in range(9))
    assert judged(layout=lines)["indexes"].found.endswith("and 4 more")
