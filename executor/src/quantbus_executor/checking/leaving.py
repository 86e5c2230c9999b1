"""What would close trades besides the signals, or keep signals from closing them."""

from collections.abc import Iterator

from quantbus_executor.checking.findings import Finding, error, note, warning
from quantbus_executor.checking.plan import BotPlan

__all__ = ["leaving"]

_NO_STOP, _TIGHT_STOP = -0.5, -0.01


def leaving(plan: BotPlan) -> Iterator[Finding]:
    """Look at everything that ends a trade."""
    yield from _exit_signals(plan)
    yield from _roi(plan)
    yield from _stop(plan)
    yield from _adjusting(plan)
    yield from _stop_on_exchange(plan)
    yield from _tuned(plan)


def _exit_signals(plan: BotPlan) -> Iterator[Finding]:
    if plan.value("use_exit_signal") is False:
        yield error(
            "use-exit-signal",
            "use_exit_signal is false, so Freqtrade never asks whether a signal ends a trade: remove it",
        )
    if plan.value("exit_profit_only") is True:
        yield warning(
            "exit-profit-only",
            "exit_profit_only is true, which is meant to keep trades at a loss open although a signal ends them; "
            "Freqtrade 2026.9 spares this strategy's exits, another version need not: remove it",
        )


def _roi(plan: BotPlan) -> Iterator[Finding]:
    table = plan.value("minimal_roi")
    if isinstance(table, dict) and table:
        steps = ", ".join(f"{share:.2%} after {minutes} min" for minutes, share in _steps(table))
        yield warning(
            "roi",
            f"minimal_roi takes profits ({steps}) whatever the signals say, so live trades will differ from the "
            "research behind them: remove it, or keep it knowingly",
        )


def _steps(table: dict[str, object]) -> Iterator[tuple[str, float]]:
    for minutes, share in table.items():
        if isinstance(share, int | float):
            yield str(minutes), float(share)


def _stop(plan: BotPlan) -> Iterator[Finding]:
    stop = plan.number("stoploss")
    if stop is None:
        yield error(
            "stoploss", "there is no stoploss, and Freqtrade refuses to start: set one, such as -0.10"
        )
    elif stop <= _NO_STOP:
        yield warning(
            "stoploss",
            f"stoploss {stop:g} is no stop to speak of: when the bus and every publisher are silent it is all that "
            "ends a trade, so set it to the loss that you can bear",
        )
    elif stop > _TIGHT_STOP:
        yield warning(
            "stoploss",
            f"stoploss {stop:g} is so tight that it, and not the signals, will end most trades: widen it",
        )
    elif plan.is_futures:
        yield note(
            "stoploss",
            f"stoploss {stop:g} counts the leverage: at 5x the price has to move by {abs(stop) / 5:.2%} only",
        )
    if plan.value("trailing_stop") is True:
        yield warning(
            "trailing-stop",
            "trailing_stop ends trades whatever the signals say: remove it, or keep it knowingly",
        )


def _adjusting(plan: BotPlan) -> Iterator[Finding]:
    if plan.value("use_custom_stoploss") is False:
        yield error(
            "signal-stops",
            "use_custom_stoploss is false, so the stop_price of a signal would not be obeyed, and the bot refuses to "
            "start: remove it from the config",
        )
    adjusts = plan.config.get("position_adjustment_enable")
    band = plan.settings.rules.drift_band if plan.settings is not None else None
    if band is not None and adjusts is False:
        yield warning(
            "resizing",
            "position_adjustment_enable is false, so positions do not follow changed weights although "
            "rules.drift_band says so: remove it from the config",
        )
    most = plan.number("max_entry_position_adjustment")
    if band is not None and most is not None and most >= 0:
        yield warning(
            "resizing",
            f"max_entry_position_adjustment is {most:g}, so Freqtrade drops further increases without a word, and "
            "their signals end as order_not_placed: remove it from the config",
        )
    if band is None and adjusts is True:
        yield note(
            "resizing",
            "position_adjustment_enable changes nothing while rules.drift_band is not set: set it, or remove the other",
        )


def _stop_on_exchange(plan: BotPlan) -> Iterator[Finding]:
    types = plan.order_types
    on_exchange = types.get("stoploss_on_exchange") is True
    if plan.is_live and not on_exchange:
        yield warning(
            "stop-on-exchange",
            "the stop exists in the bot only, so nothing watches open trades while it is down: set "
            "order_types.stoploss_on_exchange true where the exchange takes stops",
        )
    if (
        on_exchange
        and not plan.is_futures
        and plan.block("exchange").get("name") == "binance"
        and types.get("stoploss") != "limit"
    ):
        yield error(
            "stop-on-exchange",
            "Binance takes stops on spot as limit orders only, and Freqtrade refuses to start: set "
            "order_types.stoploss to limit",
        )
    if plan.is_live and plan.value("cancel_open_orders_on_exit") is True:
        yield warning(
            "cancel-on-exit",
            "cancel_open_orders_on_exit takes the stops off the exchange whenever the bot stops: remove it",
        )


def _tuned(plan: BotPlan) -> Iterator[Finding]:
    if plan.strategy is not None and plan.strategy.tuned_file is not None:
        yield warning(
            "tuned-parameters",
            f"{plan.strategy.tuned_file.name} lies beside the strategy file, and Freqtrade lays it over the strategy "
            "without a word: keep it knowingly, or remove it (hyperopt: --disable-param-export)",
        )
