"""``quantbus bus``: the embedded MongoDB, and the layout of any MongoDB."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from quantbus_contracts.cli.bus_copies import backup, restore
from quantbus_contracts.cli.bus_schema import migrate_bus, show_retention
from quantbus_contracts.errors import BusError, ConfigError
from quantbus_contracts.runtime.settings import MongoSettings, ProcessSettings, load_settings

__all__ = ["app"]

app = typer.Typer(help="Start, prepare, inspect, copy and stop the bus.", no_args_is_help=True)
app.command()(backup)
app.command()(restore)
app.command("migrate")(migrate_bus)
app.command("retention")(show_retention)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


class EmbeddedSettings(ProcessSettings):
    """Where the embedded server keeps its data, and which binary it runs."""

    home: Path = Path(".quantbus")
    mongod: Path | None = None


@app.command()
def up(
    auth: Annotated[
        bool | None,
        typer.Option(
            "--auth/--no-auth",
            help="Let nobody in without a password. [as this home had it; off for a new one]",
            show_default=False,
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Start the embedded MongoDB unless it runs; return once it answers, and leave it running.

    \b
    Example:
      quantbus bus up --json
      quantbus bus up --auth
    """
    from quantbus_contracts.embedded import admin_password_file, start_server

    settings = load_settings(EmbeddedSettings)
    server = start_server(settings.home, mongod=settings.mongod, auth=auth)
    console = Console()
    if as_json:
        console.print_json(data={"uri": server.uri, "pid": server.pid})
    else:
        console.print(f"bus is up: [bold]{server.uri}[/] (pid {server.pid}, data in {server.data})")
        if server.auth:
            console.print(
                f"it asks for passwords: the administrator's is in {admin_password_file(settings.home)}"
            )
            console.print("run `quantbus bus init --with-auth` for a user per role")


@app.command()
def found(
    members: Annotated[
        str, typer.Option(help="The servers as everyone reaches them: mongo:27017, or several with commas.")
    ],
    key_file: Annotated[Path, typer.Option(help="The key file that each mongod was given as --keyFile.")],
    admin_password_file: Annotated[Path, typer.Option(help="File with the administrator's password.")],
    wait_seconds: Annotated[
        float, typer.Option(min=1, max=3600, help="How long to wait for a primary.")
    ] = 60.0,
    as_json: Json = False,
) -> None:
    """Make servers that run with a key file one replica set, and its administrator; may be run any number of times.

    A set of some of them takes the others in. The administrator gets the password of the file, also where it had
    another. Then `quantbus bus init --with-auth` makes collections, roles and users.

    \b
    Example:
      quantbus bus found --members mongo:27017 --key-file mongod.key --admin-password-file admin.password
    """
    from quantbus_contracts.mongo import founding
    from quantbus_contracts.runtime.secret_files import read_secret

    names = [name.strip() for name in members.split(",") if name.strip()]
    if not names or len(set(names)) < len(names) or not all(":" in name for name in names):
        raise ConfigError(f"expected --members as host:port, each once, found {members!r}")
    key, password = read_secret(key_file), read_secret(admin_password_file)
    report = founding.found(names, key, password, timeout_seconds=wait_seconds)
    console = Console()
    if as_json:
        console.print_json(data=asdict(report))
        return
    how = "made" if report.initiated else "stood already"
    console.print(f"replica set of {', '.join(report.members)}: {how}; primary is {report.primary}")
    if report.added:
        console.print(f"taken in: {', '.join(report.added)}; each votes once it has copied the data")
    console.print(
        f"administrator {founding.ADMIN_USER}: {'made' if report.administrator_made else 'stood already'}"
    )


@app.command()
def init(
    with_auth: Annotated[
        bool, typer.Option("--with-auth", help="Also make the roles, and a user with a password for each.")
    ] = False,
    rotate: Annotated[
        bool, typer.Option("--rotate", help="With --with-auth: give the users new passwords.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make collections, unique indexes and validators; may be run any number of times.

    Exit 1 where `quantbus bus migrate` is needed as well, or where something else stands by a name of ours.

    Passwords go into files under QUANTBUS_HOME/secrets that only you can read, unless QUANTBUS_INGEST_PASSWORD_FILE
    and its like name files that hold them; they are never printed.

    \b
    Example:
      quantbus bus init
      quantbus bus init --with-auth
    """
    from quantbus_contracts.cli.access import administrator, print_access, set_up_access
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.mongo.layout import initialise
    from quantbus_contracts.mongo.layout_facts import lasting_faults
    from quantbus_contracts.mongo.migrations import pending_migrations

    if rotate and not with_auth:
        raise ConfigError(
            "expected --rotate together with --with-auth: it gives the roles' users new passwords"
        )
    connection = connect(administrator(load_settings(MongoSettings)), app="init", timeout_seconds=60)
    report = initialise(connection)
    access = set_up_access(connection, rotate=rotate) if with_auth else None
    pending = [step.purpose for step in pending_migrations(connection)]
    wrong = lasting_faults(connection)
    connection.close()
    console = Console()
    if as_json:
        told = {**asdict(report), "wrong": wrong, "pending_migrations": pending}
        console.print_json(data=told | (access.as_dict() if access else {}))
        raise typer.Exit(1 if pending or wrong else 0)
    made = "everything was there already"
    if report.changed:
        made = (
            f"{report.collections_created} collections made, {report.indexes_created} indexes made, "
            f"{report.validators_set} validators set"
        )
    console.print(f"bus is {'not ' if wrong else ''}ready: {made}")
    _print_wrong(wrong, console)
    if access:
        print_access(access, console)
    if pending:
        console.print("an older release laid this bus out: make a backup, then run `quantbus bus migrate`")
    if pending or wrong:
        raise typer.Exit(1)


def _print_wrong(wrong: list[str], console: Console) -> None:
    for part in wrong:
        console.print(f"  something else by that name: {part}", soft_wrap=True)
    if wrong:
        console.print("`quantbus doctor --only bus` says what to do", soft_wrap=True)


@app.command()
def status(as_json: Json = False) -> None:
    """Show whether the bus answers and is prepared; exit 1 when it is not, or when this user may not see it.

    \b
    Example:
      quantbus bus status --json
    """
    from quantbus_contracts.cli.access import administrator
    from quantbus_contracts.mongo.address import resolve_uri
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.mongo.layout import missing_parts
    from quantbus_contracts.mongo.layout_facts import lasting_faults
    from quantbus_contracts.mongo.migrations import pending_migrations
    from quantbus_contracts.runtime.redaction import redact

    settings = administrator(load_settings(MongoSettings))
    state: dict[str, Any] = {
        "up": False,
        "uri": None,
        "missing": [],
        "wrong": [],
        "pending_migrations": [],
        "reason": None,
    }
    try:
        state["uri"] = redact(resolve_uri(settings))
        connection = connect(settings, app="status", timeout_seconds=3)
        state["server_time"] = connection.server_now().isoformat()
        state["server_version"] = str(connection.client.server_info()["version"])
        state["up"] = True
        state["wrong"] = lasting_faults(connection)
        state["missing"] = missing_parts(connection)
        state["pending_migrations"] = [step.purpose for step in pending_migrations(connection)]
        connection.close()
    except (BusError, ConfigError) as error:
        state["reason"] = redact(str(error))
    if as_json:
        Console().print_json(data=state)
    else:
        _print_status(state, Console())
    wanting = ("missing", "wrong", "pending_migrations", "reason")
    ready = state["up"] and not any(state[what] for what in wanting)
    raise typer.Exit(0 if ready else 1)


def _print_status(state: dict[str, Any], console: Console) -> None:
    if not state["up"]:
        console.print(f"bus is [bold red]down[/]: {state['reason']}")
        return
    console.print(f"bus is [bold green]up[/]: {state['uri']} (MongoDB {state['server_version']})")
    for part in state["missing"]:
        console.print(f"  missing: {part}", soft_wrap=True)
    _print_wrong(state["wrong"], console)
    if state["reason"]:
        console.print(f"  whether it is prepared is not known: {state['reason']}", soft_wrap=True)
    for purpose in state["pending_migrations"]:
        console.print(f"  not migrated yet: {purpose}")
    if state["pending_migrations"]:
        console.print("make a backup, then run `quantbus bus migrate`")
    elif state["missing"]:
        console.print("run `quantbus bus init`")


@app.command()
def down(as_json: Json = False) -> None:
    """Stop the embedded MongoDB; its data stays.

    \b
    Example:
      quantbus bus down
    """
    from quantbus_contracts.embedded import stop_server

    ran = stop_server(load_settings(EmbeddedSettings).home)
    console = Console()
    if as_json:
        console.print_json(data={"stopped": ran})
    else:
        console.print("bus is down" if ran else "bus was not running")
