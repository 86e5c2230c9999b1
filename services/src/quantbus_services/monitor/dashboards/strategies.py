"""What strategies say, and what becomes of it: evaluations, signals, and the gateway that outsiders publish through."""

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

__all__ = ["STRATEGIES"]

_ITS = 'strategy_id=~"$strategy"'
_WHOSE = 'consumer_id=~"$consumer"'
_DUE = f"quantbus_strategy_run_due_timestamp_seconds{{{_ITS}}}"

_EVALUATED = Row(
    "Evaluations",
    (
        number(
            "Silent strategies",
            f"count(time() - {_DUE} > 0) or 0 * count({_DUE})",
            "That left no evaluation for the bar that they declared.",
            steps=((1, "red"),),
            width=6,
        ),
        number(
            "Strategies",
            f"count({_DUE})",
            "That declare a cadence, by the monitor.",
            width=6,
        ),
        number(
            "Signals published, last hour",
            'sum(increase(quantbus_signals_published_total{outcome=~"inserted|revised"}[1h]))',
            "New ones and new versions, by every process that publishes.",
            width=6,
        ),
        number(
            "Rows refused, last hour",
            'sum(increase(quantbus_signals_published_total{outcome="rejected"}[1h]))',
            "That the bus did not take; `crypto_signals_rejected` says why.",
            steps=((1, "orange"),),
            width=6,
        ),
        graph(
            "Later than due",
            Query(f"time() - max by (strategy_id) ({_DUE})", "{{strategy_id}}"),
            "Below zero there is still time; above, an evaluation is missing.",
            unit="s",
            steps=((0, "red"),),
            width=8,
        ),
        graph(
            "Age of the bar last evaluated",
            Query(
                f"time() - max by (strategy_id) (quantbus_strategy_last_run_timestamp_seconds{{{_ITS}}} > 0)",
                "{{strategy_id}}",
            ),
            "Since that bar's open; no line where nothing was ever evaluated.",
            unit="s",
            width=8,
        ),
        graph(
            "Age of the newest signal's bar",
            Query(
                f"time() - max by (strategy_id) (quantbus_signal_last_timestamp_seconds{{{_ITS}}} > 0)",
                "{{strategy_id}}",
            ),
            "A strategy may well have nothing to say; no line where it never said anything.",
            unit="s",
            width=8,
        ),
    ),
)
_SAID = Row(
    "Signals",
    (
        graph(
            "Rows by what became of them",
            Query(
                "sum by (job, outcome) (increase(quantbus_signals_published_total[$__rate_interval]))",
                "{{job}} {{outcome}}",
            ),
            "A repeated row is counted again, as unchanged.",
        ),
        graph(
            "From bar close to the bus, 95 of 100",
            Query(f"strategy_id:quantbus_signal_publish_delay_seconds:p95_15m{{{_ITS}}}", "{{strategy_id}}"),
            "Over a quarter of an hour.",
            unit="s",
        ),
        graph(
            "How signals ended",
            Query(
                f"sum by (consumer_id, state)"
                f" (increase(quantbus_signals_ended_total{{{_WHOSE}}}[$__rate_interval]))",
                "{{consumer_id}} {{state}}",
            ),
            "At each consumer, by final state.",
        ),
        graph(
            "Refused, by reason, in an hour",
            Query(
                f"consumer_id:quantbus_signals_refused:increase_1h{{{_WHOSE}}}", "{{consumer_id}} {{reason}}"
            ),
            "`quantbus signals reasons WORD` says what one means, and what to do.",
        ),
    ),
)
_GATEWAY = Row(
    "The gateway",
    (
        graph(
            "Requests",
            Query(
                "sum by (route, outcome) (rate(quantbus_gateway_requests_total[$__rate_interval]))",
                "{{route}} {{outcome}}",
            ),
            "Answered, per second.",
            width=8,
        ),
        quantiles(
            "From a request's first byte to its answer",
            "quantbus_gateway_request_seconds",
            "By route.",
            by="route",
        ),
        graph("Worked on now", Query("sum(quantbus_gateway_in_flight)", "in flight"), "Requests.", width=8),
        graph(
            "Without a good key",
            Query(
                "sum by (reason) (increase(quantbus_gateway_auth_failures_total[$__rate_interval]))",
                "{{reason}}",
            ),
            "Somebody mistypes, or tries.",
        ),
        graph(
            "Asked to come back later",
            Query(
                "sum by (limit) (increase(quantbus_gateway_rate_limited_total[$__rate_interval]))",
                "{{limit}}",
            ),
            "By the limit that was used up.",
        ),
    ),
)

STRATEGIES = Dashboard(
    "strategies",
    "quantbus: strategies",
    "What strategies say and what becomes of it, and the gateway that outsiders publish through.",
    (_EVALUATED, _SAID, _GATEWAY),
    (STRATEGY, CONSUMER),
)
