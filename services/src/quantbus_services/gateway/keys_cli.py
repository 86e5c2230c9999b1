"""``quantbus keys``: who may use the gateway."""

import re
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.errors import ConfigError

if TYPE_CHECKING:
    from quantbus_contracts.mongo.client import Connection
    from quantbus_contracts.schema.api_key import ApiKey

__all__ = ["app"]

app = typer.Typer(help="Make, list and end keys of the HTTP gateway.", no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on standard output.")]
_UNITS = {"m": "minutes", "h": "hours", "d": "days"}


@app.command()
def create(
    name: Annotated[str, typer.Option(help="What people call it: who or what uses it.")],
    scope: Annotated[
        list[str] | None, typer.Option(help="read, write or admin (both); repeat for several. [read]")
    ] = None,
    strategy: Annotated[
        list[str] | None, typer.Option(help="Only for this strategy; repeat for several. [all]")
    ] = None,
    expires: Annotated[str | None, typer.Option(help="After how long it ends: 12h, 90d. [never]")] = None,
    hook: Annotated[
        bool, typer.Option("--hook", help="Make the token of a webhook instead, for --strategy only.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make a key and show its secret, this once.

    \b
    Example:
      quantbus keys create --name notebook --scope read --scope write --strategy momentum-1h --expires 90d
      quantbus keys create --name chart --hook --strategy momentum-1h --json
    """
    from quantbus_contracts.mongo.api_keys import ApiKeyStore
    from quantbus_contracts.schema.tokens import Token

    if hook and scope:
        raise ConfigError("a hook may only write: leave --scope out")
    token = Token.fresh("hook" if hook else "api")
    with closing(_connection()) as connection:
        now = connection.server_now()
        key = _valid_key(
            key_id=token.key_id,
            kind=token.kind,
            name=name,
            secret_hash=token.secret_hash,
            scopes=("write",) if hook else tuple(scope or ("read",)),
            strategies=tuple(strategy or ()),
            created_at=now,
            expires_at=now + _span(expires) if expires else None,
        )
        ApiKeyStore(connection).add(key)
    if as_json:
        typer.echo(_as_json(key, secret=token.text))
        return
    Console(stderr=True).print(
        f"{'hook' if hook else 'key'} {key.key_id} ({escape(name)}); its secret is shown only this once:"
    )
    typer.echo(token.text)


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(help="The key's id, the middle part of its secret.")],
    as_json: Json = False,
) -> None:
    """End a key for good; gateways turn it away within seconds. Exit 1 if there is none.

    \b
    Example:
      quantbus keys revoke 0123456789ab
    """
    from quantbus_contracts.mongo.api_keys import ApiKeyStore

    if not re.fullmatch(r"[0-9a-f]{12}", key_id):
        raise ConfigError("expected a key's id, 12 hexadecimal digits (`quantbus keys list`), not its secret")
    with closing(_connection()) as connection:
        store = ApiKeyStore(connection)
        found = store.revoke(key_id)
        key = store.get(key_id)
    if as_json:
        typer.echo(_as_json(key) if key else "null")
    elif found:
        Console().print(f"key {key_id} is revoked")
    else:
        Console(stderr=True).print(f"no key has the id {key_id}; see `quantbus keys list`")
    raise typer.Exit(0 if found else 1)


@app.command("list")
def list_keys(as_json: Json = False) -> None:
    """List every key, the ended ones too; never a secret.

    \b
    Example:
      quantbus keys list --json
    """
    from quantbus_contracts.mongo.api_keys import ApiKeyStore

    with closing(_connection()) as connection:
        keys = ApiKeyStore(connection).all()
        now = connection.server_now()
    if as_json:
        typer.echo("[" + ",\n ".join(_as_json(key) for key in keys) + "]")
        return
    table = Table("id", "name", "kind", "may", "strategies", "created", "state")
    for key in keys:
        ends = f"until {key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "good"
        table.add_row(
            key.key_id,
            escape(key.name),
            key.kind,
            " ".join(key.scopes),
            escape(" ".join(key.strategies)) or "all",
            f"{key.created_at:%Y-%m-%d %H:%M}",
            key.fault(now) or ends,
        )
    Console().print(table)


def _connection() -> "Connection":
    from quantbus_contracts.mongo.client import connect
    from quantbus_contracts.runtime.settings import MongoSettings, load_settings

    return connect(load_settings(MongoSettings), app="keys")


def _span(text: str) -> timedelta:
    match = re.fullmatch(r"([1-9]\d{0,4})([mhd])", text)
    if match is None:
        raise ConfigError(f"--expires: expected a number with m, h or d, as 90d; found {text!r}")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _valid_key(**fields: object) -> "ApiKey":
    from pydantic import ValidationError

    from quantbus_contracts.schema.api_key import ApiKey

    try:
        return ApiKey.model_validate(fields)
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}".removeprefix(": ")
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise ConfigError("no such key can be made: " + "; ".join(faults)) from None


def _as_json(key: "ApiKey", *, secret: str | None = None) -> str:
    import json

    shown = key.model_dump(mode="json", exclude={"secret_hash"})
    return json.dumps(shown | ({"secret": secret} if secret else {}))
