"""The way of a signal in seconds, from the close of a bar to the fill."""

from quantbus_services.monitor.dashboards.model import (
    CONSUMER,
    STRATEGY,
    Dashboard,
    Query,
    Row,
    graph,
    number,
    quantiles,
)

__all__ = ["HOPS", "LATENCY"]

_OF_STRATEGY = 'strategy_id=~"$strategy"'
_OF_CONSUMER = 'consumer_id=~"$consumer"'

HOPS: tuple[tuple[str, str, str, str], ...] = (
    ("bar close → ingested", "quantbus_candle_ingest_delay_seconds", "", ""),
    ("ingested → computed", "quantbus_signal_compute_delay_seconds", "strategy_id", _OF_STRATEGY),
    ("computed → available", "quantbus_signal_deliver_delay_seconds", "strategy_id", _OF_STRATEGY),
    ("bar close → available", "quantbus_signal_publish_delay_seconds", "strategy_id", _OF_STRATEGY),
    ("available → seen", "quantbus_signal_consume_delay_seconds", "consumer_id", _OF_CONSUMER),
    ("seen → ordered", "quantbus_order_delay_seconds", "consumer_id", _OF_CONSUMER),
    ("ordered → filled", "quantbus_fill_delay_seconds", "consumer_id", _OF_CONSUMER),
)
"""Name, histogram, the label that it is told by, and what of it the reader has chosen."""


def _p95(metric: str, where: str, over: str) -> str:
    return f"histogram_quantile(0.95, sum by (le) (rate({metric}_bucket{{{where}}}[{over}])))"


LATENCY = Dashboard(
    "latency",
    "quantbus: latency chain",
    "The way of a signal in seconds, from the close of a bar to the fill.",
    (
        Row(
            "Now: what 95 of 100 stayed below in the last hour",
            tuple(
                number(
                    name,
                    _p95(metric, where, "1h"),
                    "By counted events; unknown where nothing came through.",
                    unit="s",
                    width=3,
                    unknown="nothing came",
                )
                for name, metric, _, where in HOPS
            ),
        ),
        Row(
            "The whole way",
            (
                graph(
                    "What 95 of 100 stayed below, hop by hop",
                    [Query(_p95(metric, where, "15m"), name) for name, metric, _, where in HOPS],
                    "Over a quarter of an hour. Hops of different signals do not add up exactly.",
                    unit="s",
                    width=16,
                ),
                graph(
                    "Signals that were filled",
                    Query(
                        f"sum by (consumer_id) (increase(quantbus_fill_delay_seconds_count{{{_OF_CONSUMER}}}[15m]))",
                        "{{consumer_id}}",
                    ),
                    "How many the last hop's figures stand on.",
                    width=8,
                ),
            ),
        ),
        Row(
            "Hop by hop",
            tuple(
                quantiles(name, metric, f"From `{metric}`.", by=by, where=where)
                for name, metric, by, where in HOPS
            ),
        ),
    ),
    (STRATEGY, CONSUMER),
)
