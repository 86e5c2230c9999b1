"""Whether a config fits to what is on the bus: the strategy's declaration, rights, restraints, signals."""

from collections.abc import Iterator
from datetime import timedelta
from difflib import get_close_matches

from quantbus_contracts.policy import is_below_minimum
from quantbus_contracts.schema import Strategy
from quantbus_executor.checking.bus_facts import BusFacts
from quantbus_executor.checking.findings import Finding, error, note, warning
from quantbus_executor.checking.markets import shown
from quantbus_executor.checking.plan import BotPlan
from quantbus_executor.settings import ExecutorSettings

__all__ = ["on_the_bus"]

_MUCH_CLOCK = timedelta(seconds=1)
_ALIVE = timedelta(seconds=30)
_STOP_RESERVE_AT_MOST = 1.5


def on_the_bus(plan: BotPlan, settings: ExecutorSettings, facts: BusFacts) -> Iterator[Finding]:
    """Hold the config against what the bus says."""
    yield from _server(plan, settings, facts)
    yield from _others(plan, settings, facts)
    if facts.declared is None:
        yield from _undeclared(settings, facts)
    else:
        yield from _declaration(plan, settings, facts.declared.strategy)
        yield from _minimum(plan, settings, facts)
    yield from _restraints(plan, settings, facts)
    yield from _silence(settings, facts)


def _server(plan: BotPlan, settings: ExecutorSettings, facts: BusFacts) -> Iterator[Finding]:
    if facts.rights.lacking:
        yield error(
            "rights",
            f"user {facts.rights.user} may not do what the bot has to ({shown(list(facts.rights.lacking))}): connect "
            "as quantbus_executor, or run `quantbus bus init --with-auth`",
        )
    if plan.is_live and (facts.rights.excessive or not facts.rights.user):
        who = f"user {facts.rights.user}" if facts.rights.user else "whoever reaches the bus"
        yield warning(
            "rights",
            f"{who} may do everything there, also publish signals and remove the ledger: turn access control on and "
            "let the bot connect as quantbus_executor (docs/security.md)",
        )
    elif plan.is_live and facts.rights.beyond:
        yield warning(
            "rights",
            f"user {facts.rights.user} may also do what no bot has to ({shown(list(facts.rights.beyond))}): run "
            "`quantbus bus init --with-auth`, which takes from a role what is not its own",
        )
    if facts.missing:
        yield error(
            "layout", f"the bus lacks {shown(list(facts.missing))}: run `quantbus bus init` before the bot"
        )
    elif facts.missing is None:
        yield note(
            "layout",
            f"user {facts.rights.user} may not see indexes and validators: `quantbus bus status` as operator does",
        )
    if abs(facts.clock_ahead) > _MUCH_CLOCK:
        ahead = facts.clock_ahead.total_seconds()
        yield warning(
            "clock",
            f"this machine's clock is {abs(ahead):.1f} s {'ahead of' if ahead > 0 else 'behind'} the database's: "
            "synchronise both, or candles and signals are judged by different times",
        )
    if facts.answered_in > settings.query_timeout / 2:
        yield warning(
            "slow-bus",
            f"one question took {facts.answered_in.total_seconds() * 1000:.0f} ms of the "
            f"{settings.query_timeout.total_seconds() * 1000:.0f} ms that it may take: move the bot nearer to the bus, "
            "or raise query_timeout_ms",
        )


def _others(plan: BotPlan, settings: ExecutorSettings, facts: BusFacts) -> Iterator[Finding]:
    beat, lease = facts.last_beat, facts.lease
    if beat is not None and facts.now - beat.at < _ALIVE:
        age = (facts.now - beat.at).total_seconds()
        yield warning(
            "consumer",
            f"a bot that calls itself {settings.consumer_id} gave a sign of life {age:.0f} s ago: if it still runs, "
            "choose another consumer_id, or both write the same ledger",
        )
    if not plan.is_live or lease is None or lease.expires_at <= facts.now:
        return
    if lease.consumer_id == settings.consumer_id:
        yield note(
            "lease",
            f"account {lease.account} is held by {lease.consumer_id} on host {lease.host}: a bot that starts again "
            "with the same claims file takes over from itself at once",
        )
    else:
        yield error(
            "lease",
            f"account {lease.account} is traded by consumer {lease.consumer_id} on host {lease.host}, and two bots on "
            "one account order twice: stop the other one, or give this one an account of its own",
        )


def _undeclared(settings: ExecutorSettings, facts: BusFacts) -> Iterator[Finding]:
    if facts.strategies is None:
        return
    near = get_close_matches(settings.strategy_id, facts.strategies, n=1)
    known = f"did you mean {near[0]}?" if near else f"known are {shown(list(facts.strategies)) or 'none'}"
    yield error(
        "strategy",
        f"no strategy {settings.strategy_id!r} is declared on this bus ({known}): correct strategy_id, or declare it "
        "(`quantbus strategies declare`)",
    )


def _declaration(plan: BotPlan, settings: ExecutorSettings, declared: Strategy) -> Iterator[Finding]:
    if declared.timeframe != settings.timeframe.name:
        yield error(
            "timeframe",
            f"strategy {declared.strategy_id} speaks of {declared.timeframe} bars and the bot looks for "
            f"{settings.timeframe} ones, so it would see no signal: set external_signal.timeframe to "
            f'"{declared.timeframe}", with a timeframe of the bot that is no longer',
        )
    yield from _venue(plan, settings, declared)
    whitelist = set(plan.pairs)
    unknown = sorted(whitelist - set(declared.pairs))
    if whitelist and len(unknown) == len(whitelist):
        yield error(
            "declared-pairs",
            f"strategy {declared.strategy_id} speaks of none of the bot's pairs, but of "
            f"{shown(list(declared.pairs))}: correct exchange.pair_whitelist or strategy_id",
        )
    elif unknown:
        yield warning(
            "declared-pairs",
            f"strategy {declared.strategy_id} does not speak of {shown(unknown)}, so no signal will ever come: remove "
            f"the pair, or `quantbus strategies declare {declared.strategy_id} --add-pair {unknown[0]}`",
        )
    ignored = sorted(set(declared.pairs) - whitelist)
    if whitelist and ignored and len(unknown) != len(whitelist):
        yield warning(
            "ignored-pairs",
            f"signals for {shown(ignored)} will not be traded, since the bot's whitelist lacks them: add them, or "
            "accept that",
        )
    if declared.max_signals_per_bar is not None and plan.slots < declared.max_signals_per_bar:
        yield warning(
            "slots",
            f"strategy {declared.strategy_id} may speak of {declared.max_signals_per_bar} pairs at a bar and "
            f"max_open_trades is {plan.slots:g}: the last ones are refused for want of a slot; raise it",
        )


def _venue(plan: BotPlan, settings: ExecutorSettings, declared: Strategy) -> Iterator[Finding]:
    name = str(plan.block("exchange").get("name", ""))
    if name.upper() != declared.venue:
        yield error(
            "venue",
            f"strategy {declared.strategy_id} speaks of {declared.venue} and the bot trades on {name!r}: set "
            f"exchange.name to {declared.venue.lower()}, or follow a strategy of that exchange",
        )
    if (declared.market_type == "spot") == plan.is_futures:
        yield error(
            "market-type",
            f"strategy {declared.strategy_id} speaks of {declared.market_type} markets and trading_mode is "
            f"{plan.value('trading_mode')}: set it to {'spot' if declared.market_type == 'spot' else 'futures'}",
        )
    asked, allowed = declared.max_leverage or 1.0, settings.rules.max_leverage if plan.is_futures else 1.0
    if asked > allowed:
        yield warning(
            "leverage",
            f"strategy {declared.strategy_id} may ask for leverage up to {asked:g} and is granted {allowed:g}, so its "
            "positions may be smaller than it thinks: "
            + ("raise rules.max_leverage, or accept that" if plan.is_futures else "spot has none"),
        )


def _minimum(plan: BotPlan, settings: ExecutorSettings, facts: BusFacts) -> Iterator[Finding]:
    stake, stop = plan.number("stake_amount"), abs(plan.number("stoploss") or 0)
    listings = facts.listings or {}
    unknown = [pair for pair in plan.pairs if pair not in listings or listings[pair].min_notional is None]
    if plan.is_live and unknown:
        yield note(
            "minimum-stake",
            f"the least order that the exchange takes of {shown(unknown)} is not known to this user: compare "
            "stake_amount with it by hand, or let an operator check once after `quantbus ingest instruments`",
        )
    if stake is None:
        return
    # Freqtrade keeps so much in reserve that what is left after the stop can still be sold
    reserve = 1 + (plan.number("amount_reserve_percent") or 0.05)
    reserve = max(1.0, min(reserve / (1 - stop) if stop < 1 else reserve, _STOP_RESERVE_AT_MOST))
    scale = settings.rules.confidence.scale
    smallest = stake * scale.floor if scale is not None else stake
    for pair in plan.pairs:
        listing = listings.get(pair)
        least = listing.min_notional * reserve if listing and listing.min_notional else None
        if is_below_minimum(stake, least):
            yield error(
                "minimum-stake",
                f"{pair}: the exchange takes orders from about {least:.2f} on and stake_amount is {stake:g}, so every "
                "entry without a weight is refused: raise it",
            )
        elif is_below_minimum(smallest, least):
            yield warning(
                "minimum-stake",
                f"{pair}: with confidence.scale the stake may come down to {smallest:g}, and the exchange takes "
                f"orders from about {least:.2f} on: raise stake_amount or scale_floor",
            )


def _restraints(plan: BotPlan, settings: ExecutorSettings, facts: BusFacts) -> Iterator[Finding]:
    if facts.restraints is None:
        return
    if facts.restraints.unreadable:
        yield warning(
            "restraints-in-force",
            f"controls or risk rows cannot be read: {shown(list(facts.restraints.unreadable))}; set them again",
        )
    for control in facts.restraints.controls:
        pairs = plan.pairs or (None,)
        if settings.restraints.controls and any(
            control.concerns(strategy_id=settings.strategy_id, pair=pair, consumer_id=settings.consumer_id)
            for pair in pairs
        ):
            yield warning(
                "restraints-in-force",
                f"a {control.kind.value} of {control.scope} by {control.source} is in force ({control.reason}): lift "
                "it when the bot shall trade (`quantbus controls list`)",
            )
    for state in facts.restraints.states:
        if settings.restraints.risk_state and (state.block_entries or state.level.value == "crit"):
            yield warning(
                "restraints-in-force",
                f"risk of {state.strategy_id} {state.pair} is {state.level.value} ({state.reason}), so it is not "
                "entered: clear it when it is over (`quantbus risk list`)",
            )


def _silence(settings: ExecutorSettings, facts: BusFacts) -> Iterator[Finding]:
    if facts.newest is None or facts.declared is None:
        return
    if not facts.newest:
        yield note(
            "silence", f"no signal of {settings.strategy_id} is on the bus yet: is its publisher running?"
        )
        return
    age = facts.now - max(published.available_at for published in facts.newest.values())
    yield note(
        "silence",
        f"the newest signal of {settings.strategy_id} came {_told(age)} ago; pairs with signals: "
        f"{len(facts.newest)} of {len(facts.declared.strategy.pairs)}",
    )


def _told(age: timedelta) -> str:
    seconds = age.total_seconds()
    for size, name in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {name}"
    return f"{seconds:.0f} s"
