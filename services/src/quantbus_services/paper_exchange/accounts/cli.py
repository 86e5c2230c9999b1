"""``quantbus paper-exchange accounts``: accounts of a running exchange."""

from __future__ import annotations

from typing import Annotated, Any

import typer

__all__ = ["app"]

app = typer.Typer(help="Accounts of a running paper exchange: keys and paper money.")

_URL = Annotated[str, typer.Option(help="Address of the running exchange, as `serve` prints it.")]


@app.command()
def create(
    name: Annotated[str, typer.Argument(help="Name of the account.")],
    url: _URL,
    spot: Annotated[
        list[str] | None, typer.Option(help="Spot balance, USDT=1000; may be given again.")
    ] = None,
    futures: Annotated[
        list[str] | None, typer.Option(help="Futures wallet, USDT=1000; may be given again.")
    ] = None,
    read_only: Annotated[bool, typer.Option("--read-only", help="The key may not trade.")] = False,
    withdrawals: Annotated[
        bool, typer.Option("--withdrawals", help="The key says that it may withdraw; nothing can be.")
    ] = False,
) -> None:
    """Open an account and print its key as JSON.

    \b
    Example:
      quantbus paper-exchange accounts create bot --url http://127.0.0.1:8711 --spot USDT=1000
    """
    asked = {
        "name": name,
        "spot": _amounts("--spot", spot),
        "futures": _amounts("--futures", futures),
        "keys": [{"can_trade": not read_only, "can_withdraw": withdrawals}],
    }
    _print(_ask(url, "POST", "/paper/accounts", asked))


@app.command()
def key(
    account: Annotated[str, typer.Argument(help="Account that the key is for.")],
    url: _URL,
    read_only: Annotated[bool, typer.Option("--read-only", help="The key may not trade.")] = False,
    withdrawals: Annotated[
        bool, typer.Option("--withdrawals", help="The key says that it may withdraw; nothing can be.")
    ] = False,
) -> None:
    """Make one more key for an account and print it as JSON.

    \b
    Example:
      quantbus paper-exchange accounts key bot --url http://127.0.0.1:8711 --read-only
    """
    asked = {"account": account, "can_trade": not read_only, "can_withdraw": withdrawals}
    _print(_ask(url, "POST", "/paper/keys", asked))


@app.command()
def deposit(
    account: Annotated[str, typer.Argument(help="Account that gets the paper money.")],
    url: _URL,
    spot: Annotated[list[str] | None, typer.Option(help="To the spot balance: USDT=1000.")] = None,
    futures: Annotated[list[str] | None, typer.Option(help="To the futures wallet: USDT=1000.")] = None,
) -> None:
    """Give an account more paper money.

    \b
    Example:
      quantbus paper-exchange accounts deposit bot --url http://127.0.0.1:8711 --futures USDT=500
    """
    for board, pairs in (("spot", _amounts("--spot", spot)), ("futures", _amounts("--futures", futures))):
        for asset, amount in pairs.items():
            asked = {"account": account, "board": board, "asset": asset, "amount": amount}
            _print(_ask(url, "POST", "/paper/deposits", asked))


@app.command("list")
def list_command(url: _URL) -> None:
    """Print all accounts as JSON: balances, positions, open orders and keys without their secrets.

    \b
    Example:
      quantbus paper-exchange accounts list --url http://127.0.0.1:8711
    """
    _print(_ask(url, "GET", "/paper/accounts", None))


def _amounts(option: str, pairs: list[str] | None) -> dict[str, str]:
    from quantbus_contracts.errors import ConfigError

    amounts: dict[str, str] = {}
    for pair in pairs or []:
        asset, equals, amount = pair.partition("=")
        if not (asset and equals and amount) or asset in amounts:
            raise ConfigError(f"{option}: expected each currency once, as USDT=1000, found {pair!r}")
        amounts[asset] = amount
    return amounts


def _ask(url: str, method: str, path: str, content: dict[str, Any] | None) -> object:
    import httpx

    from quantbus_contracts.errors import ConfigError, VenueUnavailable

    try:
        reply = httpx.request(method, url.rstrip("/") + path, json=content, timeout=10, trust_env=False)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise VenueUnavailable(
            f"no paper exchange answers at {url} ({error}); start one with `serve`"
        ) from None
    if reply.status_code == httpx.codes.OK:
        return reply.json()
    if reply.status_code in (httpx.codes.NOT_FOUND, httpx.codes.METHOD_NOT_ALLOWED):
        raise ConfigError(f"the paper exchange at {url} has no accounts; start it with --accounts")
    try:
        said = reply.json()["msg"]
    except (ValueError, KeyError):
        said = reply.text[:200]
    raise ConfigError(f"the paper exchange refused: {said}")


def _print(content: object) -> None:
    import json

    typer.echo(json.dumps(content, indent=2))
