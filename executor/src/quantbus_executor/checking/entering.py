"""What would delay entries, lose them, or leave them without a slot or a stake."""

from collections.abc import Iterator
from datetime import timedelta

from quantbus_contracts.policy import CatchUp
from quantbus_executor.checking.findings import Finding, error, note, warning
from quantbus_executor.checking.plan import BotPlan

__all__ = ["entering"]

_CROSSING = {"entry": ("ask", "other"), "exit": ("bid", "other")}
_DEFAULT_DELAY_BARS = 3


def entering(plan: BotPlan) -> Iterator[Finding]:
    """Look at everything between a signal and its order."""
    yield from _seeing(plan)
    yield from _time_to_enter(plan)
    yield from _answer_age(plan)
    yield from _orders(plan)
    yield from _slots(plan)
    yield from _stake(plan)


def _seeing(plan: BotPlan) -> Iterator[Finding]:
    if plan.value("process_only_new_candles") is not False:
        yield warning(
            "new-candles-only",
            "process_only_new_candles is true, so the bot looks once per candle, before most signals are there, and "
            "enters one candle late or never: remove it from the config",
        )
    expiry = plan.number("ignore_buying_expired_candle_after")
    if expiry:
        yield warning(
            "expired-candle",
            f"ignore_buying_expired_candle_after drops entries {expiry:g} s after a candle's close without a word in "
            "the ledger: remove it; rules.max_delay_seconds says the same and is accounted for",
        )
    if plan.value("initial_state") != "running":
        yield warning(
            "initial-state",
            f"initial_state is {plan.value('initial_state')!r}, so after every start, also one after a crash, "
            "somebody has to set the bot going: set it to running and hold entries back by `quantbus controls`",
        )


def _time_to_enter(plan: BotPlan) -> Iterator[Finding]:
    if plan.settings is None:
        return
    rules, bar = plan.settings.rules, plan.settings.timeframe.delta
    bounds = {
        "rules.tolerance_bars": (1 + rules.tolerance_bars) * bar,
        "rules.max_delay_seconds": rules.max_delay or _DEFAULT_DELAY_BARS * bar,
        "rules.max_age_seconds": rules.max_age_from_available,
    }
    for name, time in bounds.items():
        if time is None:
            continue
        needed = 2 * plan.loop + plan.settings.query_timeout
        if time < needed:
            yield error(
                "time-to-enter",
                f"{name} leaves {_told(time)} to enter, less than two loops of the bot take ({_told(needed)}): raise "
                "it, or lower internals.process_throttle_secs",
            )


def _answer_age(plan: BotPlan) -> Iterator[Finding]:
    if plan.settings is None or plan.settings.rules.catch_up is CatchUp.IF_VALID:
        return
    if plan.loop >= plan.settings.max_answer_age:
        yield error(
            "time-to-enter",
            f"a loop takes {_told(plan.loop)} at least and max_answer_age_seconds is "
            f"{_told(plan.settings.max_answer_age)}, so every loop counts as the end of a downtime and catch_up "
            f"{plan.settings.rules.catch_up.value} refuses every signal as missed: raise the age, or lower "
            "internals.process_throttle_secs",
        )


def _orders(plan: BotPlan) -> Iterator[Finding]:
    for side, crossing in _CROSSING.items():
        kind = plan.order_types.get(side)
        price = plan.block(f"{side}_pricing").get("price_side", "same")
        if kind == "market" and price not in crossing:
            yield error(
                "price-side",
                f"{side}_pricing.price_side is {price!r} with market orders, and Freqtrade refuses to start: "
                'set it to "other"',
            )
        elif kind == "limit":
            yield note(
                "limit-orders",
                f"{side} orders are limit orders: one that finds nobody is cancelled after unfilledtimeout, and a "
                f"signal may not be {'entered' if side == 'entry' else 'left'} upon for that time",
            )


def _slots(plan: BotPlan) -> Iterator[Finding]:
    if plan.slots == 0:
        yield error(
            "slots", "max_open_trades is 0, so nothing is ever entered: set it to the number of pairs"
        )
    elif plan.slots < len(plan.pairs):
        yield warning(
            "slots",
            f"max_open_trades is {plan.slots:g} for {len(plan.pairs)} pairs, so signals that find no slot are refused "
            "however much weight they carry: raise it to the number of pairs, or accept that the first ones win",
        )


def _stake(plan: BotPlan) -> Iterator[Finding]:
    stake = plan.number("stake_amount")
    if plan.value("stake_amount") == "unlimited":
        if plan.slots == float("inf"):
            yield error(
                "stake",
                "stake_amount and max_open_trades are both unlimited, and Freqtrade refuses to start: bound one",
            )
        return
    if stake is None or stake <= 0:
        yield error(
            "stake", "stake_amount is no number above 0: set what a signal without a weight is to stake"
        )
        return
    wallet = plan.number("dry_run_wallet") if not plan.is_live else plan.number("available_capital")
    trades = min(plan.slots, len(plan.pairs) or 1)
    if wallet is not None and stake * trades > wallet * (plan.number("tradable_balance_ratio") or 1):
        capital = "available_capital" if plan.is_live else "dry_run_wallet"
        yield warning(
            "stake",
            f"{trades:g} trades of {stake:g} are more than the {capital} of {wallet:g} has to give: the last ones are "
            "refused for want of money; lower stake_amount or max_open_trades",
        )
    if plan.is_live and plan.number("available_capital") is None:
        yield note(
            "capital",
            "there is no available_capital, so a signal's weight is a share of all that the account holds in "
            f"{plan.value('stake_currency')}: set it to bound what the bot may use",
        )


def _told(time: timedelta) -> str:
    return f"{time.total_seconds():g} s"
