"""The research worker, bar by bar: what it computed, how long it took, what it held back."""

from quantbus_services.monitor.dashboards.model import (
    STRATEGY,
    Dashboard,
    Query,
    Row,
    graph,
    number,
    quantiles,
)

__all__ = ["RESEARCH"]

_ITS = 'strategy_id=~"$strategy"'

_NOW = Row(
    "Now",
    (
        number(
            "Waiting",
            f"max by (strategy_id) (quantbus_research_waiting{{{_ITS}}})",
            "No model on the stage, or too little history: the worker can say nothing.",
            legend="{{strategy_id}}",
            words=((0, "works", "green"), (1, "waits", "orange")),
            width=6,
        ),
        number(
            "Last published",
            "time() - (max by (strategy_id)"
            f" (quantbus_research_last_publish_timestamp_seconds{{{_ITS}}}) > 0)",
            "How long ago a live signal was published. A strategy may well have nothing to say.",
            legend="{{strategy_id}}",
            unit="s",
            width=6,
            unknown="never",
        ),
        number(
            "Bars that failed, last hour",
            f'sum(increase(quantbus_research_bars_total{{outcome="failed", {_ITS}}}[1h]))',
            "Nothing was published for them.",
            steps=((1, "red"),),
            width=6,
        ),
        number(
            "Tries that the bus did not answer, last hour",
            f"sum(increase(quantbus_research_bus_errors_total{{{_ITS}}}[1h]))",
            "They are made again.",
            steps=((1, "orange"),),
            width=6,
        ),
    ),
)
_BARS = Row(
    "Bar by bar",
    (
        graph(
            "Closed bars, by what was done with them",
            Query(
                f"sum by (strategy_id, outcome) (increase(quantbus_research_bars_total{{{_ITS}}}[$__rate_interval]))",
                "{{strategy_id}} {{outcome}}",
            ),
            "Evaluated, degraded, late, skipped, failed, caught up.",
        ),
        graph(
            "Held back",
            Query(
                "sum by (strategy_id)"
                f" (increase(quantbus_research_signals_held_back_total{{{_ITS}}}[$__rate_interval]))",
                "{{strategy_id}}",
            ),
            "Signals that the recipe did not want to be said late, or without the bars of other pairs.",
        ),
        graph(
            "Models taken",
            Query(
                "sum by (strategy_id, outcome)"
                f" (increase(quantbus_research_trainings_total{{{_ITS}}}[$__rate_interval]))",
                "{{strategy_id}} {{outcome}}",
            ),
            "By whether they were there.",
        ),
        graph(
            "Tries that the bus did not answer",
            Query(
                "sum by (strategy_id)"
                f" (increase(quantbus_research_bus_errors_total{{{_ITS}}}[$__rate_interval]))",
                "{{strategy_id}}",
            ),
            "They are made again.",
        ),
    ),
)
_TIME = Row(
    "How long it takes",
    (
        quantiles(
            "Hop by hop",
            "quantbus_research_hop_seconds",
            "Until the bars were there (or the wait was over), until it was computed, until the bus had confirmed it.",
            by="hop",
            where=_ITS,
        ),
        quantiles(
            "From bar close to the bus's confirmation",
            "quantbus_research_publish_delay_seconds",
            "Of live signals.",
            by="strategy_id",
            where=_ITS,
        ),
        graph(
            "Mean of each hop",
            Query(
                f"sum by (hop) (rate(quantbus_research_hop_seconds_sum{{{_ITS}}}[15m]))"
                f" / (sum by (hop) (rate(quantbus_research_hop_seconds_count{{{_ITS}}}[15m])) > 0)",
                "{{hop}}",
            ),
            "Over a quarter of an hour; they add up to the whole.",
            unit="s",
            width=8,
            stacked=True,
        ),
    ),
)

RESEARCH = Dashboard(
    "research",
    "quantbus: research",
    "The research worker, bar by bar: what it computed, how long it took, what it held back.",
    (_NOW, _BARS, _TIME),
    (STRATEGY,),
)
