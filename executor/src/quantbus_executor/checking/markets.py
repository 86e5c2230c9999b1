"""Whether mode, pairs and currencies of a config go together."""

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from quantbus_contracts.errors import UnknownInstrument
from quantbus_contracts.symbols import Instrument
from quantbus_executor.checking.findings import Finding, error, note, warning
from quantbus_executor.checking.plan import BotPlan

__all__ = ["markets", "shown"]

_SHOWN = 5


def markets(plan: BotPlan) -> Iterator[Finding]:
    """Look at what would be traded."""
    yield from _mode(plan)
    yield from _pairlists(plan)
    yield from _pairs(plan)


def shown(names: list[str]) -> str:
    """Return a few of the names, and how many there are besides."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return ", ".join(names[:_SHOWN]) + more


def _mode(plan: BotPlan) -> Iterator[Finding]:
    mode = plan.value("trading_mode")
    if mode not in ("spot", "futures"):
        yield error("mode", f"trading_mode {mode!r} cannot be followed: set it to spot or futures")
    if plan.is_futures and plan.value("margin_mode") not in ("isolated", "cross"):
        yield error(
            "mode",
            "trading_mode futures needs a margin_mode, and Freqtrade refuses to start: set it to isolated",
        )
    if plan.is_futures and plan.settings is not None and not plan.settings.rules.can_short:
        yield note(
            "shorts", "rules.can_short is off, so signals that ask for a short are refused as spot_short"
        )


def _pairlists(plan: BotPlan) -> Iterator[Finding]:
    listed = plan.config.get("pairlists")
    lists = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    methods = [str(item.get("method")) for item in lists]
    if not methods:
        yield error(
            "pairlists",
            'there are no pairlists, and Freqtrade refuses to start: add {"method": "StaticPairList"}',
        )
    dynamic = [method for method in methods if method != "StaticPairList"]
    if dynamic:
        yield warning(
            "pairlists",
            f"{shown(dynamic)} may drop a pair that signals speak of, or add one that none do; such signals are "
            "refused: keep to StaticPairList",
        )
    if "protections" in plan.config:
        yield error("protections", "protections in a config are refused by Freqtrade: remove them")


def _pairs(plan: BotPlan) -> Iterator[Finding]:
    if not plan.pairs:
        yield error("pairs", "exchange.pair_whitelist is empty, so nothing is traded: name the pairs")
    stake = plan.value("stake_currency")
    kinds = {pair: _fault_of(pair, plan.is_futures, stake) for pair in plan.pairs}
    if wrong := [pair for pair, kind in kinds.items() if kind == "name"]:
        form = "BTC/USDT:USDT" if plan.is_futures else "BTC/USDT"
        yield error(
            "pair-names",
            f"{shown(wrong)}: no {'futures' if plan.is_futures else 'spot'} pairs, and Freqtrade drops them: "
            f"write them like {form}",
        )
    if foreign := [pair for pair, kind in kinds.items() if kind == "currency"]:
        yield error(
            "stake-currency",
            f"{shown(foreign)} cannot be paid in stake_currency {stake}, and Freqtrade drops them: remove them, or "
            "run another bot for them",
        )
    if blocked := [pair for pair in plan.pairs if _is_blocked(plan, pair)]:
        yield warning(
            "blacklist",
            f"{shown(blocked)} are in the whitelist and in the blacklist, so they are not traded: keep one of the two",
        )


def _fault_of(pair: str, is_futures: bool, stake: object) -> Literal["name", "currency"] | None:
    try:
        instrument = Instrument.from_pair("ANY", pair)
    except UnknownInstrument:  # Freqtrade also takes a pattern, such as .*/USDT
        return "name" if re.fullmatch(r"[\w:/-]+", pair) else None
    if (instrument.market_type == "spot") == is_futures:
        return "name"
    return "currency" if stake not in (instrument.settle or instrument.quote, None) else None


def _is_blocked(plan: BotPlan, pair: str) -> bool:
    patterns = plan.block("exchange").get("pair_blacklist")
    listed: Iterable[object] = patterns if isinstance(patterns, list) else ()
    try:
        return any(re.fullmatch(str(pattern), pair) for pattern in listed)
    except re.error:
        return False
