"""``quantbus strategies``: what each strategy promises, and what it said last."""

import json
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from quantbus_contracts.cli.arguments import Json, parse_duration
from quantbus_contracts.cli.connecting import opened
from quantbus_contracts.errors import ConfigError, ContractError

if TYPE_CHECKING:
    from quantbus_contracts.mongo.client import Connection
    from quantbus_contracts.schema import Declaration, Strategy

__all__ = ["app"]

app = typer.Typer(help="Declare strategies, and see what they promise.", no_args_is_help=True)

_NEEDED = {"venue": "--venue BINANCE", "timeframe": "--timeframe 1h", "pairs": "--pairs BTC/USDT,ETH/USDT"}
_SHOWN_PAIRS = 6


@app.command()
def declare(
    what: Annotated[str, typer.Argument(metavar="FILE|ID", help="A TOML or JSON file, or a strategy's id.")],
    venue: Annotated[str | None, typer.Option(help="Exchange: BINANCE.")] = None,
    market_type: Annotated[Literal["spot", "swap", "future"] | None, typer.Option()] = None,
    timeframe: Annotated[str | None, typer.Option(help="Length of its bars: 1h.")] = None,
    pairs: Annotated[str | None, typer.Option(help="All its pairs: BTC/USDT,ETH/USDT.")] = None,
    add_pair: Annotated[list[str] | None, typer.Option(help="One more pair. Repeatable.")] = None,
    cadence_bars: Annotated[int | None, typer.Option(help="It speaks at every n-th bar.")] = None,
    max_delay: Annotated[str | None, typer.Option(help="How late after bar close it may speak: 90s.")] = None,
    max_signals_per_bar: Annotated[int | None, typer.Option()] = None,
    max_weight: Annotated[float | None, typer.Option(help="Largest absolute weight of a signal.")] = None,
    max_leverage: Annotated[float | None, typer.Option()] = None,
    note: Annotated[str | None, typer.Option()] = None,
    as_json: Json = False,
) -> None:
    """Declare a strategy, or change what is named of a declaration that stands. Rows that contradict it are refused.

    \b
    Examples:
      quantbus strategies declare strategy.toml
      quantbus strategies declare demo --venue BINANCE --timeframe 1h --pairs BTC/USDT,ETH/USDT
      quantbus strategies declare demo --add-pair SOL/USDT
    """
    said: dict[str, Any] = {
        "venue": venue,
        "market_type": market_type,
        "timeframe": timeframe,
        "pairs": [name.strip() for name in pairs.split(",")] if pairs is not None else None,
        "cadence_bars": cadence_bars,
        "max_delay_seconds": parse_duration(max_delay, "--max-delay").total_seconds() if max_delay else None,
        "max_signals_per_bar": max_signals_per_bar,
        "max_weight": max_weight,
        "max_leverage": max_leverage,
        "note": note,
    }
    changes = {name: value for name, value in said.items() if value is not None}
    from_file = _read(Path(what)) if _is_file(what) else None
    if from_file is not None and (changes or add_pair):
        raise ConfigError("expected a file or options, found both; put all of it into the file")
    with opened() as (connection, _):
        before, after = _declare(connection, what, from_file, changes, add_pair or [])
    console = Console(highlight=False)
    if as_json:
        console.print_json(data=after.model_dump(mode="json", exclude_none=True))
    elif before is not None and before.version == after.version:
        console.print(f"{after.strategy.strategy_id} stands as declared: version {after.version}")
    else:
        console.print(f"declared {after.strategy.strategy_id}: version {after.version}")


@app.command("list")
def list_strategies(as_json: Json = False) -> None:
    """List the strategies that are declared.

    \b
    Example:
      quantbus strategies list
    """
    from quantbus_contracts.mongo.strategies import StrategyStore

    with opened() as (connection, _):
        store = StrategyStore(connection)
        found, since = store.all(), store.declared_at()
    console = Console(highlight=False)
    if as_json:
        told = [item.model_dump(mode="json", exclude_none=True) for item in found]
        for row in told:
            at = since.get(str(row["strategy_id"]))
            row |= {"declared_at": at.isoformat()} if at else {}
        console.print_json(data=told)
        return
    if not found:
        console.print("no strategy is declared")
        return
    table = Table("strategy", "venue", "market", "tf", "pairs", "speaks", "declared", box=None)
    for item in found:
        at = since.get(item.strategy_id)
        table.add_row(
            item.strategy_id,
            item.venue,
            item.market_type,
            item.timeframe,
            escape(_pairs(item)),
            _cadence(item),
            f"{at:%Y-%m-%d %H:%M}" if at else "",
        )
    console.print(table)


@app.command()
def show(
    strategy_id: Annotated[str, typer.Argument(metavar="ID")],
    as_json: Json = False,
) -> None:
    """Show a strategy's declaration and its newest signals. Exit 1 if it is not declared.

    \b
    Example:
      quantbus strategies show demo
    """
    from quantbus_contracts.cli.signal_rows import flat
    from quantbus_contracts.cli.signal_screens import print_signals
    from quantbus_contracts.mongo.signal_reader import SignalReader
    from quantbus_contracts.mongo.strategies import StrategyStore
    from quantbus_contracts.timeframe import Timeframe

    with opened() as (connection, _):
        found = StrategyStore(connection).get(strategy_id)
        if found is None:
            Console(stderr=True, highlight=False).print(f"strategy {strategy_id!r} is not declared")
            raise typer.Exit(1)
        reader, timeframe = SignalReader(connection), Timeframe.parse(found.strategy.timeframe)
        newest = reader.newest(strategy_id, timeframe, found.strategy.pairs).signals
        run = reader.last_run(strategy_id, timeframe)
    signals = [newest[pair] for pair in found.strategy.pairs if pair in newest]
    console = Console(highlight=False)
    if as_json:
        rows = [{name: value for name, value in flat(item).items() if value is not None} for item in signals]
        last = run.model_dump(mode="json", exclude_none=True) if run else None
        declaration = found.model_dump(mode="json", exclude_none=True)
        console.print_json(data={**declaration, "last_run": last, "newest": rows})
        return
    console.print(_facts(found))
    if run is not None:
        console.print(f"last evaluated for the bar of {run.ts:%Y-%m-%d %H:%M} UTC: {run.signals} signals")
    if signals:
        print_signals(console, signals)
    else:
        console.print("no signals yet")


def _is_file(what: str) -> bool:
    return what.endswith((".toml", ".json")) or "/" in what


def _read(path: Path) -> dict[str, Any]:
    try:
        text = path.read_text(encoding="utf-8")
        found = json.loads(text) if path.suffix == ".json" else tomllib.loads(text)
    except OSError as error:
        raise ConfigError(f"{path}: expected a file to read, found: {error.strerror or error}") from None
    except ValueError as error:  # what JSON, TOML and UTF-8 raise
        raise ContractError(
            f"{path}: expected TOML (or JSON in .json), found something else: {error}"
        ) from None
    if not isinstance(found, dict):
        raise ContractError(f"{path}: expected the fields of a strategy, found {type(found).__name__}")
    return found


def _declare(
    connection: "Connection",
    what: str,
    from_file: dict[str, Any] | None,
    changes: dict[str, Any],
    add_pairs: list[str],
) -> "tuple[Declaration | None, Declaration]":
    """Make the declaration; return what stood before, and what stands now."""
    from quantbus_contracts.bus import SignalBus
    from quantbus_contracts.mongo.strategies import StrategyStore

    store = StrategyStore(connection)
    if from_file is not None:
        strategy = _validated(from_file)
        before = store.get(strategy.strategy_id)
    else:
        before = store.get(what)
        strategy = _validated(_changed(what, before, changes, add_pairs))
    SignalBus(connection).declare(strategy)
    after = store.get(strategy.strategy_id)
    if after is None:
        raise ConfigError(f"{strategy.strategy_id!r} was removed while it was declared; declare it again")
    return before, after


def _changed(
    strategy_id: str, before: "Declaration | None", changes: dict[str, Any], add_pairs: list[str]
) -> dict[str, Any]:
    fields = {**(before.strategy.model_dump() if before else {}), **changes, "strategy_id": strategy_id}
    fields["pairs"] = list(dict.fromkeys([*fields.get("pairs", ()), *add_pairs]))
    missing = [hint for name, hint in _NEEDED.items() if not fields.get(name)]
    if missing:
        raise ConfigError(f"{strategy_id!r} is not declared yet: say also {', '.join(missing)}")
    return fields


def _validated(fields: dict[str, Any]) -> "Strategy":
    from pydantic import ValidationError

    from quantbus_contracts.schema import Strategy

    try:
        return Strategy.model_validate(fields)
    except ValidationError as error:
        lines = [
            f"{'.'.join(str(part) for part in item['loc'])}: {item['msg']}, found {item['input']!r:.80}"
            for item in error.errors(include_url=False)
        ]
        raise ContractError("the declaration is wrong:\n  " + "\n  ".join(lines)) from None


def _pairs(strategy: "Strategy") -> str:
    more = len(strategy.pairs) - _SHOWN_PAIRS
    return ", ".join(strategy.pairs[:_SHOWN_PAIRS]) + (f" and {more} more" if more > 0 else "")


def _facts(found: "Declaration") -> Table:
    strategy = found.strategy
    table = Table.grid(padding=(0, 2))
    at = f" since {found.declared_at:%Y-%m-%d %H:%M} UTC" if found.declared_at else ""
    by = f", declared by {found.declared_by}" if found.declared_by else ""
    table.add_row("strategy", f"[bold]{strategy.strategy_id}[/]  version {found.version}{at}{escape(by)}")
    for name, value in strategy.model_dump(exclude={"strategy_id", "pairs"}, exclude_none=True).items():
        table.add_row(name.replace("_", " "), escape(str(value)))
    table.add_row("pairs", escape(", ".join(strategy.pairs)))
    return table


def _cadence(strategy: "Strategy") -> str:
    if strategy.cadence_bars is None:
        return "when it likes"
    return "every bar" if strategy.cadence_bars == 1 else f"every {strategy.cadence_bars} bars"
