"""``quantbus bus backup`` and ``restore``: a copy of the whole bus at one instant, and a bus made of it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from quantbus_contracts.runtime.settings import MongoSettings, load_settings

if TYPE_CHECKING:
    from quantbus_contracts.mongo.backing_up import Progress
    from quantbus_contracts.mongo.backup_files import Manifest
    from quantbus_contracts.mongo.client import Connection

__all__ = ["backup", "restore"]

_TIMEOUT_SECONDS = 120.0
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]


def backup(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must not exist.")],
    window_seconds: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=86_400,
            help="Let the server keep its past for so long meanwhile, instead of its five minutes; needs the "
            "administrator.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Copy the whole bus, as it stands at one instant, into a new folder; everybody may go on writing.

    The folder appears once all of it is on the disk. It holds what the bus holds (hashes of API keys too), and is for
    its owner alone. Roles, users and passwords are not in it.

    \b
    Examples:
      quantbus bus backup backups/2026-01-05
      quantbus bus backup backups/2026-01-05 --window-seconds 3600 --json
    """
    from quantbus_contracts.mongo.backing_up import back_up

    with _connected("backup") as connection, _shown("copied") as told:
        manifest = back_up(connection, folder, window_seconds=window_seconds, told=told)
    _tell(manifest, folder, "backup", as_json=as_json)


def restore(
    folder: Annotated[Path, typer.Argument(help="The folder of a backup.")],
    what_if: Annotated[
        bool, typer.Option("--what-if", help="Only check every file of the backup; needs no bus.")
    ] = False,
    again: Annotated[
        bool, typer.Option("--again", help="Throw away what a restore that was killed left, and begin anew.")
    ] = False,
    unchecked: Annotated[
        bool,
        typer.Option("--unchecked", help="Also take documents that the validators of this release refuse."),
    ] = False,
    as_json: Json = False,
) -> None:
    """Make an empty bus hold what a backup holds, bit for bit. Stop every process before.

    Every file is checked against its hash before anything is written. Until the last document stands, no process of
    quantbus works on the bus. With access control this needs the administrator.

    \b
    Examples:
      quantbus bus restore backups/2026-01-05 --what-if
      quantbus bus restore backups/2026-01-05
    """
    from quantbus_contracts.mongo import restoring

    if what_if:
        with _shown("checked") as told:
            manifest = restoring.verify(folder, told=told)
        _tell(manifest, folder, "whole backup", as_json=as_json)
        return
    with _connected("restore") as connection, _shown("written") as told:
        manifest = restoring.restore(connection, folder, again=again, unchecked=unchecked, told=told)
    _tell(manifest, folder, "restored", as_json=as_json)
    if not as_json:
        Console().print(
            "the bus is as it was then: what was revoked, halted or published since is not. Look at "
            "`quantbus keys list`, `quantbus controls list` and `quantbus audit verify` before you start anything",
            soft_wrap=True,
        )


@contextmanager
def _connected(app: str) -> "Iterator[Connection]":
    from quantbus_contracts.cli.access import administrator
    from quantbus_contracts.mongo.client import connect

    settings = administrator(load_settings(MongoSettings))
    with closing(connect(settings, app=app, timeout_seconds=_TIMEOUT_SECONDS)) as connection:
        yield connection


@contextmanager
def _shown(done: str) -> "Iterator[Progress]":
    """Show on standard error how far it is."""
    with Console(stderr=True).status("reading") as status:
        yield lambda name, documents: status.update(f"{name}: {documents:,} documents {done}")


def _tell(manifest: "Manifest", folder: Path, what: str, *, as_json: bool) -> None:
    console = Console()
    size = sum(stored.file_bytes for stored in manifest.collections)
    if as_json:
        told = manifest.model_dump(mode="json")
        console.print_json(data={**told, "sha256": manifest.sha256, "folder": str(folder)})
        return
    console.print(
        f"{what}: {manifest.documents:,} documents as of {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC, "
        f"{size / 1e6:.1f} MB in {folder}",
        soft_wrap=True,
    )
    console.print(
        f"schema version {manifest.schema_version}, release {manifest.release}, sha256 {manifest.sha256}",
        soft_wrap=True,
        highlight=False,
    )
