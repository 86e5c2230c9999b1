"""A bus has one schema version; older ones are brought up step by step, newer ones are left alone."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts.collections import COLLECTIONS, CollectionSpec
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.mongo import layout
from quantbus_contracts.mongo.client import Connection, connect, connect_async
from quantbus_contracts.mongo.layout import initialise, record_version, recorded_version
from quantbus_contracts.mongo.layout_facts import layout_faults
from quantbus_contracts.mongo.migrations import MIGRATIONS, Migration, migrate, pending_migrations
from quantbus_contracts.mongo.schema_guard import BASE_VERSION, SCHEMA_VERSION
from quantbus_contracts.mongo.steps import Row, Steps, find
from quantbus_contracts.runtime.settings import MongoSettings
from tests.fixtures.command import Run

pytestmark = [pytest.mark.integration, pytest.mark.proof]
REFUSED = "crypto_signals_rejected"


def versions(connection: Connection) -> list[int]:
    rows = connection.client[connection.names.of("schema_version")]["schema_version"].find(
        {}, sort=[("version", 1)]
    )
    return [row["version"] for row in rows]


def forget_versions(connection: Connection) -> None:
    connection.client[connection.names.of("schema_version")]["schema_version"].delete_many({})


def seconds_kept(connection: Connection) -> int | None:
    indexes = connection.client[connection.names.of(REFUSED)][REFUSED].index_information()
    seconds: int | None = indexes["rejected_at_-1"].get("expireAfterSeconds")
    return seconds


@pytest.fixture
def versioned(connection: Connection) -> Iterator[Connection]:
    """A bus whose versions a test may change."""
    yield connection
    forget_versions(connection)
    record_version(connection, SCHEMA_VERSION, "laid out anew")


@pytest.fixture
def older(versioned: Connection) -> Iterator[Connection]:
    """A bus as the first release laid it out: no version, and refused rows that stay for ever."""
    forget_versions(versioned)
    home = versioned.client[versioned.names.of(REFUSED)][REFUSED]
    home.drop_index("rejected_at_-1")
    home.create_index([("rejected_at", -1)], name="rejected_at_-1")
    home.insert_one(
        {
            **dict.fromkeys(("row", "field", "value"), ""),
            **{"reason": "late", "published_by": "x", "rejected_at": datetime.now(UTC) - timedelta(days=80)},
        }
    )
    yield versioned
    migrate(versioned)


def test_the_steps_are_numbered_one_after_the_other_up_to_what_this_code_knows() -> None:
    assert [step.version for step in MIGRATIONS] == list(range(BASE_VERSION + 1, SCHEMA_VERSION + 1))


def test_a_new_bus_has_the_newest_version_and_needs_nothing(versioned: Connection) -> None:
    forget_versions(versioned)
    names = versioned.names.all().values()
    for name in names:
        versioned.client.drop_database(name)
    assert initialise(versioned).collections_created == len(COLLECTIONS)
    assert versions(versioned) == [SCHEMA_VERSION]
    assert pending_migrations(versioned) == []
    assert not migrate(versioned).steps


def test_a_first_initialisation_that_was_cut_short_leaves_a_new_bus_and_no_older_one(
    versioned: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_versions(versioned)
    for name in versioned.names.all().values():
        versioned.client.drop_database(name)
    made = iter(range(3))

    def cut_short(connection: Connection, spec: CollectionSpec) -> int:
        if next(made, None) is None:
            raise BusError("cut short")
        return create(connection, spec)

    create = layout._create
    with monkeypatch.context() as patched:
        patched.setattr(layout, "_create", cut_short)
        with pytest.raises(BusError, match="cut short"):
            initialise(versioned)
    initialise(versioned)
    assert (versions(versioned), pending_migrations(versioned)) == ([SCHEMA_VERSION], [])


def test_several_initialisations_and_migrations_at_once_do_no_harm(versioned: Connection) -> None:
    for name in versioned.names.all().values():
        versioned.client.drop_database(name)
    with ThreadPoolExecutor(4) as pool:
        done = [pool.submit(work, versioned) for work in (initialise, migrate, initialise, migrate)]
    assert [one.exception() for one in done] == [None] * 4
    assert (layout_faults(versioned), versions(versioned)) == ([], [SCHEMA_VERSION])


def test_an_older_bus_is_told_of_and_brought_up_once(older: Connection) -> None:
    assert recorded_version(older) == BASE_VERSION
    told = migrate(older, what_if=True)
    assert (told.before, told.after, len(told.steps)) == (1, 2, 1)
    assert (versions(older), seconds_kept(older)) == ([], None), "only told of"
    assert migrate(older).steps == told.steps
    assert (versions(older), seconds_kept(older)) == ([1, 2], 90 * 86_400)
    assert older.collection(REFUSED).count_documents({}) == 1
    again = migrate(older)
    assert (again.steps, again.layout and again.layout.changed) == ((), False)


def test_the_commands_say_what_to_do_with_an_older_bus(older: Connection, quantbus: Run) -> None:
    initial, status = quantbus("bus", "init"), quantbus("bus", "status", "--json")
    assert (initial.code, "run `quantbus bus migrate`" in initial.out) == (1, True)
    assert (status.code, status.json["pending_migrations"]) == (1, [MIGRATIONS[0].purpose])
    assert seconds_kept(older) is None
    assert "would be done: 2" in quantbus("bus", "migrate", "--what-if").out
    assert quantbus("bus", "migrate", "--json").json["after"] == SCHEMA_VERSION
    assert quantbus("bus", "init").code == 0


def test_a_step_that_was_cut_short_is_taken_again_and_nothing_is_skipped(versioned: Connection) -> None:
    taken: list[int] = []

    def take(number: int, *, fails: bool = False) -> Migration:
        def apply(connection: Connection) -> None:
            taken.append(number)
            if fails:
                raise BusError("cut short")

        return Migration(number, f"step {number}", apply)

    with pytest.raises(BusError, match="cut short"):
        migrate(versioned, migrations=(*MIGRATIONS, take(3), take(4, fails=True), take(5)))
    assert (taken, versions(versioned)) == ([3, 4], [2, 3])


def test_a_step_that_somebody_else_took_meanwhile_is_not_taken_after_the_next_ones(
    versioned: Connection,
) -> None:
    taken: list[int] = []

    def overtaken(connection: Connection) -> None:
        taken.append(3)
        for version in (3, 4):
            record_version(connection, version, "by another")

    steps = (*MIGRATIONS, Migration(3, "three", overtaken), Migration(4, "four", lambda bus: taken.append(4)))
    migrate(versioned, migrations=steps)
    assert (taken, versions(versioned)) == ([3], [2, 3, 4])


async def test_nobody_works_on_a_bus_of_a_newer_schema(
    versioned: Connection, mongo_settings: MongoSettings
) -> None:
    record_version(versioned, SCHEMA_VERSION + 1, "a release to come")
    for attempt in (connect(mongo_settings, app="test"), connect(mongo_settings, app="test")):
        with pytest.raises(ConfigError, match="a newer release has migrated it"):
            attempt.server_now()
        attempt.close()
    waiting = connect_async(mongo_settings, app="test")
    with pytest.raises(ConfigError, match="a newer release has migrated it"):
        await waiting.server_now()
    await waiting.close()
    for change in (initialise, migrate):
        with pytest.raises(ConfigError, match="a newer release has migrated it"):
            change(versioned)


def test_commands_leave_a_newer_bus_alone(versioned: Connection, quantbus: Run) -> None:
    record_version(versioned, SCHEMA_VERSION + 1, "a release to come")
    listed, status = quantbus("signals", "list"), quantbus("bus", "status")
    assert (listed.code, "newer release" in listed.err) == (2, True)
    assert (status.code, "newer release" in status.out) == (1, True)


def test_a_connection_asks_for_the_version_once(
    versioned: Connection, mongo_settings: MongoSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    perform = Connection._perform

    def counted(self: Connection, call: object, course: object) -> object:
        asked.append(call.collection)  # type: ignore[attr-defined]
        return perform(self, call, course)  # type: ignore[arg-type]

    def look() -> Steps[list[Row]]:
        found: list[Row] = yield find("strategies", {})
        return found

    monkeypatch.setattr(Connection, "_perform", counted)
    connection = connect(mongo_settings, app="test")
    connection.run(look())
    connection.run(look())
    connection.close()
    assert asked == ["schema_version", "strategies", "strategies"]
