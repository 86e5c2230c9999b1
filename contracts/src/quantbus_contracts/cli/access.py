"""What ``quantbus bus init --with-auth`` does and tells: roles, users, and where their passwords are."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from rich.console import Console
from rich.table import Table

from quantbus_contracts.runtime.settings import MongoSettings, ProcessSettings, load_settings

if TYPE_CHECKING:
    from quantbus_contracts.mongo.client import Connection
    from quantbus_contracts.mongo.roles import RolesReport
    from quantbus_contracts.mongo.users import UserReport

__all__ = ["Access", "administrator", "print_access", "set_up_access"]

_NOT_ENFORCED = (
    "This server has no access control: the roles exist and nothing enforces them, whoever reaches it may do "
    "everything. Start it with access control (`quantbus bus up --auth`, or mongod's --auth and --keyFile)."
)
_STATES = {
    "created": "made",
    "rotated": "has a new password",
    "kept": "was there already",
    "differs": "was there already with another password than the file's: --rotate sets it anew",
    "unknown": "was there already, its password is not here: --rotate makes a new one",
}


class PasswordFiles(ProcessSettings):
    """Files that hold the passwords of the roles' users, where they are not to be made up."""

    ingest_password_file: Path | None = None
    research_password_file: Path | None = None
    gateway_password_file: Path | None = None
    executor_password_file: Path | None = None
    account_password_file: Path | None = None
    monitor_password_file: Path | None = None
    operator_password_file: Path | None = None
    migrate_password_file: Path | None = None


@dataclass(frozen=True, slots=True)
class Access:
    """What was set up."""

    roles: "RolesReport"
    users: "list[UserReport]"
    enforced: bool

    def as_dict(self) -> dict[str, object]:
        """Return it for ``--json``; no secrets."""
        return {
            "access_control": self.enforced,
            "roles_created": len(self.roles.created),
            "roles_updated": len(self.roles.updated),
            "users": [
                {
                    "role": user.role,
                    "state": user.state,
                    "password_file": str(user.password_file) if user.password_file else None,
                    "uri": user.uri,
                }
                for user in self.users
            ],
        }


def administrator(settings: MongoSettings) -> MongoSettings:
    """Return the settings with the embedded server's administrator, where nothing says otherwise and there is one."""
    from quantbus_contracts.embedded import admin_password_file, server_status
    from quantbus_contracts.mongo.founding import ADMIN_USER

    if settings.mongo_uri is not None or settings.mongo_user is not None:
        return settings
    server = server_status(settings.home)
    if server is None or not server.auth:
        return settings
    return settings.model_copy(
        update={"mongo_user": ADMIN_USER, "mongo_password_file": admin_password_file(settings.home)}
    )


def set_up_access(connection: "Connection", *, rotate: bool) -> Access:
    """Make roles and users, over a connection of someone who may."""
    from quantbus_contracts.mongo.roles import Role, access_control_enforced, apply_roles
    from quantbus_contracts.mongo.users import apply_users

    files = load_settings(PasswordFiles)
    named: dict[Role, Path | None] = {
        role: getattr(files, f"{role}_password_file") for role in get_args(Role)
    }
    given = {role: path for role, path in named.items() if path is not None}
    roles = apply_roles(connection)
    users = apply_users(connection, connection.settings.home, given=given, rotate=rotate)
    return Access(roles, users, access_control_enforced(connection))


def print_access(access: Access, console: Console) -> None:
    """Print where the passwords are and how to connect; never a password."""
    table = Table("role", "user", "password in", title="access")
    for user in access.users:
        table.add_row(user.role, _STATES[user.state], str(user.password_file or "–"))
    console.print(table)
    console.print("Each process connects as its own user:")
    for user in access.users:
        console.print(f"  {user.uri}", markup=False, highlight=False, soft_wrap=True)
    console.print(
        "or with QUANTBUS_MONGO_USER and QUANTBUS_MONGO_PASSWORD_FILE and an address without a password",
        soft_wrap=True,
    )
    if not access.enforced:
        console.print(f"[bold yellow]warning:[/] {_NOT_ENFORCED}")
