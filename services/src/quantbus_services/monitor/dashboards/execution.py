"""What bots do with signals: orders, fills and their price, money, and whether the loop turns."""

from quantbus_services.monitor.dashboards.model import (
    CONSUMER,
    Dashboard,
    Panel,
    Query,
    Row,
    Unit,
    graph,
    number,
    quantiles,
)

__all__ = ["EXECUTION"]

_WHOSE = 'consumer_id=~"$consumer"'
_SLIPPAGE = "quantbus_fill_slippage_ratio"


def _own(metric: str) -> str:
    return f"max by (consumer_id) ({metric}{{{_WHOSE}}})"


def _line(title: str, metric: str, says: str, unit: Unit = "short") -> Panel:
    return graph(title, Query(_own(metric), "{{consumer_id}}"), says, unit=unit, width=8)


def _slippage(share: float, over: str) -> str:
    """Return what this share of fills stays below. The mean is not to be had: with negative buckets there is no sum."""
    counted = f"sum by (consumer_id, le) (rate({_SLIPPAGE}_bucket{{{_WHOSE}}}[{over}]))"
    return f"histogram_quantile({share}, {counted})"


def _slippages(over: str) -> list[Query]:
    return [
        Query(_slippage(share, over), f"{{{{consumer_id}}}} p{share * 100:.0f}")
        for share in (0.05, 0.5, 0.95)
    ]


_BOTS = Row(
    "Bots",
    (
        number(
            "The bot answers",
            "min(quantbus_freqtrade_up)",
            "Its REST API, asked by the monitor.",
            words=((0, "no", "red"), (1, "yes", "green")),
        ),
        number(
            "Loop last turned",
            f"time() - {_own('quantbus_freqtrade_last_process_timestamp_seconds')}",
            "A stuck loop answers, and reads no signal.",
            legend="{{consumer_id}}",
            unit="s",
            steps=((30, "orange"), (60, "red")),
        ),
        number(
            "Runs for",
            f"time() - (max by (consumer_id) (quantbus_freqtrade_start_timestamp_seconds{{{_WHOSE}}}) > 0)",
            "Since Freqtrade started.",
            legend="{{consumer_id}}",
            unit="s",
        ),
        number(
            "Rejections in a row",
            _own("quantbus_order_rejects_in_a_row"),
            "Orders that the venue rejected since it last took one.",
            legend="{{consumer_id}}",
            steps=((1, "orange"), (3, "red")),
        ),
        number(
            "Median slippage, last hour",
            _slippage(0.5, "1h"),
            "Fill price against the signal's ref_price; above zero is worse for us.",
            legend="{{consumer_id}}",
            unit="percentunit",
            steps=((0.002, "orange"), (0.005, "red")),
            unknown="no fills",
        ),
        number(
            "Pairs that may be entered",
            _own("quantbus_freqtrade_whitelist_pairs"),
            "Freqtrade's whitelist.",
            legend="{{consumer_id}}",
        ),
    ),
)
_ORDERS = Row(
    "Orders and fills",
    (
        quantiles(
            "Seen → ordered",
            "quantbus_order_delay_seconds",
            "Once per row of the ledger.",
            by="consumer_id",
            where=_WHOSE,
        ),
        quantiles(
            "Ordered → filled",
            "quantbus_fill_delay_seconds",
            "Once per row of the ledger.",
            by="consumer_id",
            where=_WHOSE,
        ),
        graph(
            "Rejected by the venue",
            Query(
                f"sum by (consumer_id, reason) (increase(quantbus_order_rejects_total{{{_WHOSE}}}[$__rate_interval]))",
                "{{consumer_id}} {{reason}}",
            ),
            "By reason.",
            width=8,
        ),
        graph(
            "How signals ended",
            Query(
                f"sum by (state) (increase(quantbus_signals_ended_total{{{_WHOSE}}}[$__rate_interval]))",
                "{{state}}",
            ),
            "By final state.",
            stacked=True,
        ),
        graph(
            "Refused by the bot",
            Query(
                f"sum by (reason) (increase(quantbus_signals_refused_total{{{_WHOSE}}}[$__rate_interval]))",
                "{{reason}}",
            ),
            "By reason.",
            stacked=True,
        ),
    ),
)
_COST = Row(
    "Slippage",
    (
        graph(
            "Of the fills of an hour",
            _slippages("1h"),
            "Fill price against the signal's ref_price, as a share of it; above zero is worse for us.",
            unit="percentunit",
        ),
        graph(
            "Of the fills of a day",
            _slippages("1d"),
            "What trading costs beyond fees. Backtests assume a figure for it: compare.",
            unit="percentunit",
        ),
    ),
)
_MONEY = Row(
    "Money, as the bot counts it",
    (
        graph(
            "Equity",
            Query(
                f"max by (consumer_id, currency) (quantbus_freqtrade_equity{{{_WHOSE}}})",
                "{{consumer_id}} {{currency}}",
            ),
            "Open trades included.",
            width=8,
        ),
        _line(
            "Profit",
            "quantbus_freqtrade_profit_ratio",
            "Of all trades, to the capital at the beginning.",
            "percentunit",
        ),
        _line(
            "Profit of the day",
            "quantbus_freqtrade_day_profit_ratio",
            "Since midnight UTC, open trades included.",
            "percentunit",
        ),
        _line(
            "Drawdown",
            "quantbus_freqtrade_drawdown_ratio",
            "From the highest closed balance to the equity now.",
            "percentunit",
        ),
        _line("Open trades", "quantbus_freqtrade_open_trades", "Held now."),
        _line("Closed trades", "quantbus_freqtrade_closed_trades", "Of all times."),
        graph(
            "Balances",
            Query(
                f"max by (consumer_id, currency, kind) (quantbus_bot_balance{{{_WHOSE}}})",
                "{{consumer_id}} {{currency}} {{kind}}",
            ),
            "By the bot's own books: all of a currency, and what of it is free.",
            width=24,
        ),
    ),
)

EXECUTION = Dashboard(
    "execution",
    "quantbus: execution and slippage",
    "What bots do with signals: orders, fills and their price, money, and whether the loop turns.",
    (_BOTS, _ORDERS, _COST, _MONEY),
    (CONSUMER,),
)
