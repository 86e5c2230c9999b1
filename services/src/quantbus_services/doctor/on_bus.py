"""Judges what the server said of itself; pure."""

from collections.abc import Callable, Iterable, Sequence

from quantbus_contracts.mongo.migrations import MIGRATIONS
from quantbus_contracts.mongo.schema_guard import RESTORING, SCHEMA_VERSION
from quantbus_contracts.mongo.server_facts import ServerFacts, SetFacts, StartFacts, Unsaid, UserFacts
from quantbus_services.doctor.findings import Finding, fail, ok, skipped, unknown, warn
from quantbus_services.doctor.server_versions import advisory_finding, has_unsafe_zlib, version_finding

__all__ = ["CLOCK_SECONDS", "DISK_FAIL", "DISK_WARN", "bus_findings", "disk_finding"]

ADMINISTRATOR = "quantbus_admin"
CLOCK_SECONDS = 1.0
DISK_WARN, DISK_FAIL = 0.2, 0.1
"""Shares that are free; the lower one is where the monitor alerts."""
_TRANSACTION_SECONDS = 10.0
_LAG_SECONDS = 10.0
_LOOPBACK = {"127.0.0.1", "localhost", "::1"}
_AS_WHOM = (
    "ask as the administrator or as the monitor's user (QUANTBUS_MONGO_USER, QUANTBUS_MONGO_PASSWORD_FILE)"
)
_AS_ADMIN = "ask as the administrator (QUANTBUS_MONGO_USER=quantbus_admin and QUANTBUS_MONGO_PASSWORD_FILE)"
_LAYOUT = (("collections", "collection "), ("indexes", "index "), ("validators", "validator "))
_SHOWN = 5


def bus_findings(facts: ServerFacts) -> list[Finding]:
    """Return what every check of the bus came to."""
    return [
        version_finding(facts.version),
        advisory_finding(
            facts.version,
            zlib=None if isinstance(facts.start, Unsaid) else _has_zlib(facts.start),
            in_set=None if isinstance(facts.members, Unsaid) else facts.members is not None,
        ),
        _told(facts.start, "compressors", "zlib off", lambda start: _compressors(facts.version, start)),
        _told(facts.start, "scripting", "no JavaScript in the server", _scripting),
        _told(facts.members, "replica-set", _SET, _replica_set),
        _journal(facts),
        _told(facts.members, "write-concern", "a default of majority", _write_concern),
        _told(facts.transaction_seconds, "transactions", _TRANSACTIONS, _transactions),
        _access_control(facts),
        _user(facts),
        _roles(facts),
        _told(facts.schema, "schema-version", _SCHEMA, _schema),
        *_layout(facts),
        _told(facts.retention, "retention", _RETENTION, _retention),
        _clock(facts),
        _disk(facts),
    ]


_SET = "a replica set with a primary and every member up to date"
_TRANSACTIONS = f"a transaction ends by itself within {_TRANSACTION_SECONDS:.0f} s"

_SCHEMA = f"schema version {SCHEMA_VERSION}"
_RETENTION = "nothing removed by itself but what the table lets go"


def _told(fact: object, check: str, expected: str, judge: Callable[..., Finding]) -> Finding:
    if isinstance(fact, Unsaid):
        return unknown(check, expected, fact.reason, _AS_WHOM)
    return judge(fact)


def _has_zlib(start: StartFacts) -> bool:
    return start.compressors is None or "zlib" in start.compressors


def _compressors(version: str, start: StartFacts) -> Finding:
    expected = "zlib off"
    if not _has_zlib(start):
        return ok("compressors", expected, ", ".join(start.compressors or ()))
    found = (
        "MongoDB's own default, which has zlib" if start.compressors is None else ", ".join(start.compressors)
    )
    advice = "start mongod with --networkMessageCompressors=snappy,zstd"
    judge = warn if has_unsafe_zlib(version) is False else fail
    return judge("compressors", expected, found, advice)


def _scripting(start: StartFacts) -> Finding:
    expected = "no JavaScript in the server"
    if not start.scripting:
        return ok("scripting", expected, "off")
    return fail(
        "scripting", expected, "on: $where is open to every reader", "start mongod with --noscripting"
    )


def _replica_set(members: SetFacts | None) -> Finding:
    if members is None:
        advice = "start mongod with --replSet and found the set (`quantbus bus found`): publishing needs transactions"
        return fail("replica-set", _SET, "a server on its own", advice)
    named = f"{members.name}: " + ", ".join(f"{one.name} {one.state}" for one in members.members)
    if not any(one.state == "primary" for one in members.members):
        return fail(
            "replica-set", _SET, f"no primary in {named}", "start the members that are away; read their logs"
        )
    away = [one.name for one in members.members if one.state == "other"]
    if away:
        return fail("replica-set", _SET, f"away: {', '.join(away)}", "start them, and read their logs")
    late = [one for one in members.members if (one.lag_seconds or 0.0) > _LAG_SECONDS]
    if late:
        told = ", ".join(f"{one.name} is {one.lag_seconds:.0f} s behind" for one in late)
        return fail("replica-set", _SET, told, "look at that member's disk and network")
    data = [one for one in members.members if one.state != "arbiter"]
    if len(members.members) > 1 and len(data) <= len(members.members) // 2 + 1 < len(members.members):
        told = f"{named}: one member less and no write has a majority"
        return warn("replica-set", _SET, told, "have a third member with data instead of an arbiter")
    if len(members.members) == 2:
        told = f"{named}: either of two that is away stops all writes"
        return warn("replica-set", _SET, told, "have three members, or one")
    return ok("replica-set", _SET, named)


def _journal(facts: ServerFacts) -> Finding:
    expected = "what a majority confirms is in its journals"
    if isinstance(facts.start, StartFacts) and not facts.start.journal:
        return fail("journal", expected, "the journal is off", "start mongod without --nojournal")
    if isinstance(facts.members, Unsaid):
        return unknown("journal", expected, facts.members.reason, _AS_WHOM)
    if facts.members is not None and not facts.members.majority_is_journaled:
        advice = "set writeConcernMajorityJournalDefault to true with replSetReconfig"
        return fail("journal", expected, "writeConcernMajorityJournalDefault is false", advice)
    return ok("journal", expected, "so it is")


def _write_concern(members: SetFacts | None) -> Finding:
    expected = "a default of majority"
    if members is None:
        return fail("write-concern", expected, "no replica set, so no majority", "found the set first")
    if members.default_write == "majority":
        return ok("write-concern", expected, "majority; quantbus asks for it with every write besides")
    told = f"w: {members.default_write}; quantbus itself asks for a majority with every write"
    advice = "have setDefaultRWConcern say majority, for other programs that write here"
    return warn("write-concern", expected, told, advice)


def _transactions(seconds: float) -> Finding:
    told = f"{seconds:g} s"
    if seconds <= _TRANSACTION_SECONDS:
        return ok("transactions", _TRANSACTIONS, told)
    advice = "start mongod with --setParameter=transactionLifetimeLimitSeconds=3: a publisher that dies in the midst "
    return warn("transactions", _TRANSACTIONS, told, advice + "of one holds up the next one that long")


def _access_control(facts: ServerFacts) -> Finding:
    expected = "a server that asks who one is"
    if isinstance(facts.access_control, Unsaid):
        return unknown("access-control", expected, facts.access_control.reason, _AS_WHOM)
    if facts.access_control:
        return ok("access-control", expected, "on")
    advice = (
        "`quantbus bus up --auth`, or mongod's --auth and --keyFile; then `quantbus bus init --with-auth`"
    )
    if isinstance(facts.start, StartFacts) and set(facts.start.bound_to) <= _LOOPBACK:
        told = "off; it listens on this machine only, where every program may do everything"
        return warn("access-control", expected, told, advice)
    return fail("access-control", expected, "off, and it listens to more than this machine", advice)


def _user(facts: ServerFacts) -> Finding:
    expected = "a user with the rights of its role and no more"
    user = facts.user
    if isinstance(user, Unsaid):
        return unknown("user", expected, user.reason, "run `quantbus bus init --with-auth`")
    if not user.name:
        if facts.access_control is False:
            return skipped("user", expected, "no access control, so no users")
        return fail(
            "user", expected, "nobody logged in", "set QUANTBUS_MONGO_USER and QUANTBUS_MONGO_PASSWORD_FILE"
        )
    return _named_user(expected, user)


def _named_user(expected: str, user: UserFacts) -> Finding:
    if user.name == ADMINISTRATOR:
        return ok("user", expected, "the administrator, which only a person should be")
    if user.role is None:
        advice = "let processes use the users that `quantbus bus init --with-auth` makes"
        return warn("user", expected, f"{user.name}, which is none of ours", advice)
    init = "run `quantbus bus init --with-auth`"
    if user.lacking:
        return fail("user", expected, f"{user.name} may not: {_few(user.lacking)}", init)
    if user.excessive:
        return fail("user", expected, f"{user.name} may also remove data or give out rights", init)
    if user.beyond:
        return fail("user", expected, f"{user.name} may also: {_few(user.beyond)}", init)
    return ok("user", expected, user.name)


def _roles(facts: ServerFacts) -> Finding:
    expected = "every role and user as the table says"
    if facts.access_control is False:
        return skipped("roles", expected, "no access control: nothing enforces a role")
    if isinstance(facts.roles, Unsaid):
        return unknown("roles", expected, facts.roles.reason, _AS_ADMIN)
    if facts.roles:
        return fail(
            "roles", expected, _few(facts.roles), "run `quantbus bus init --with-auth` as administrator"
        )
    return ok("roles", expected, "so they are")


def _schema(version: int) -> Finding:
    if version == SCHEMA_VERSION:
        return ok("schema-version", _SCHEMA, str(version))
    if version == RESTORING:
        advice = "wait for it, or begin it anew with `quantbus bus restore … --again`"
        return fail("schema-version", _SCHEMA, "a restore that is not finished", advice)
    if version < SCHEMA_VERSION:
        steps = "; ".join(f"{step.version}: {step.purpose}" for step in MIGRATIONS if step.version > version)
        advice = "make a backup, then run `quantbus bus migrate` (docs/upgrading.md)"
        return fail("schema-version", _SCHEMA, f"{version}; pending: {steps}", advice)
    advice = "install the release that migrated it here too (docs/upgrading.md)"
    return fail("schema-version", _SCHEMA, f"{version}, of a newer release", advice)


def _layout(facts: ServerFacts) -> Iterable[Finding]:
    for check, word in _LAYOUT:
        expected = f"the {check} of the table"
        if isinstance(facts.layout, Unsaid):
            yield unknown(check, expected, facts.layout.reason, _AS_WHOM)
            continue
        wrong = [line for line in facts.layout if line.partition(": ")[2].startswith(word)]
        absent = all(line.endswith("is not there") for line in wrong) or check == "validators"
        advice = (
            "run `quantbus bus init`"
            if absent
            else "drop what differs (as administrator, in mongosh; a collection after a backup), then run "
            "`quantbus bus init`"
        )
        yield (
            fail(check, expected, _few(wrong), advice)
            if wrong
            else ok(check, expected, "all as they should be")
        )


def _retention(faults: tuple[str, ...]) -> Finding:
    if not faults:
        return ok("retention", _RETENTION, "so it is")
    return fail("retention", _RETENTION, _few(faults), "look at all of it with `quantbus bus retention`")


def _clock(facts: ServerFacts) -> Finding:
    expected = f"the server's clock within {CLOCK_SECONDS:g} s of ours"
    if isinstance(facts.clock, Unsaid):
        return unknown("clock", expected, facts.clock.reason, "look again")
    offset, doubt = facts.clock.offset_seconds, facts.clock.uncertain_seconds
    told = f"{offset:+.3f} s, give or take {doubt:.3f}"
    if abs(offset) - doubt > CLOCK_SECONDS:
        return fail("clock", expected, told, "let both machines keep their time by NTP (chrony)")
    if abs(offset) + doubt > CLOCK_SECONDS:
        return unknown("clock", expected, told, "the server answers too slowly to say more; look again")
    return ok("clock", expected, told)


def _disk(facts: ServerFacts) -> Finding:
    if isinstance(facts.disk, Unsaid):
        return unknown("bus-disk", _room(), facts.disk.reason, _AS_WHOM)
    return disk_finding("bus-disk", facts.disk.size_bytes, facts.disk.free_bytes)


def _room() -> str:
    return f"{DISK_WARN:.0%} of the disk free"


def disk_finding(check: str, size: float, free: float) -> Finding:
    """Judge the room on a disk."""
    share = free / size if size > 0 else 0.0
    told = f"{share:.0%} free, {free / 1e9:.1f} of {size / 1e9:.1f} GB"
    if share < DISK_FAIL:
        return fail(check, _room(), told, "make room, or give it a larger disk")
    if share < DISK_WARN:
        return warn(check, _room(), told, "make room before it is full")
    return ok(check, _room(), told)


def _few(lines: Sequence[str]) -> str:
    more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
    return "; ".join(lines[:_SHOWN]) + more
