"""Bars and everything else that is fetched: how fresh, how whole, and what the exchange says."""

from quantbus_services.monitor.dashboards.model import Dashboard, Query, Row, graph, number, quantiles

__all__ = ["DATA"]


def _events(metric: str, *by: str, legend: str = "") -> Query:
    labels = ", ".join(by)
    name = legend or " ".join(f"{{{{{label}}}}}" for label in by)
    return Query(f"sum by ({labels}) (increase({metric}[$__rate_interval]))", name)


_FRESH = Row(
    "Bars: how fresh",
    (
        number(
            "Streams that are late",
            "count(time() - quantbus_candle_due_timestamp_seconds > 0)"
            " or 0 * count(quantbus_candle_due_timestamp_seconds)",
            "Streams of which the next bar should have been there. Unknown while the monitor does not say.",
            steps=((1, "red"),),
            width=6,
        ),
        number(
            "Bars missing",
            "sum(quantbus_candle_gap_bars)",
            "Between stored bars, and not shown to be lacking at the venue.",
            steps=((1, "orange"),),
            width=6,
        ),
        number(
            "Errors of the exchange, last 5 minutes",
            "sum(increase(quantbus_exchange_errors_total[5m]))",
            "Failed requests of all kinds.",
            steps=((1, "orange"), (20, "red")),
            width=6,
        ),
        number(
            "Sources that disagree, last hour",
            "sum(increase(quantbus_source_disagreements_total[1h]))",
            "Bars of which two sources said different things.",
            steps=((1, "orange"),),
            width=6,
        ),
        graph(
            "Later than due",
            Query(
                "max by (symbol, timeframe) (time() - quantbus_candle_due_timestamp_seconds)",
                "{{symbol}} {{timeframe}}",
            ),
            "Below zero there is still time; above, a bar is missing.",
            unit="s",
            steps=((0, "red"),),
        ),
        graph(
            "Age of the newest bar's open",
            Query(
                "min by (symbol, timeframe) (time() - quantbus_candle_last_timestamp_seconds)",
                "{{symbol}} {{timeframe}}",
            ),
            "Between one and two bars while all is well.",
            unit="s",
        ),
    ),
)
_WHOLE = Row(
    "Bars: how whole",
    (
        graph(
            "Bars missing",
            Query("max by (symbol, timeframe) (quantbus_candle_gap_bars) > 0", "{{symbol}} {{timeframe}}"),
            "Gaps that asking again has not closed yet.",
            width=8,
        ),
        graph(
            "Bars by what became of them",
            _events("quantbus_candles_written_total", "outcome"),
            "Inserted, corrected, unchanged, refused.",
            width=8,
        ),
        quantiles("From close to stored", "quantbus_candle_ingest_delay_seconds", "Live bars."),
        graph(
            "Bars from a second source",
            _events("quantbus_candle_fallback_bars_total", "symbol", "timeframe"),
            "Taken because the first one lacked them.",
        ),
        graph(
            "Sources that disagree",
            _events("quantbus_source_disagreements_total", "kind"),
            "By what differs.",
        ),
    ),
)
_EXCHANGE = Row(
    "The exchange",
    (
        graph(
            "Failed requests",
            _events("quantbus_exchange_errors_total", "job", "kind"),
            "By what went wrong; rate limits and bans among them.",
        ),
        graph(
            "Broken streams",
            _events("quantbus_stream_errors_total", "job", "kind"),
            "Streams are hints only: without them bars come a little later.",
        ),
        graph(
            "Turns of series",
            _events("quantbus_ingestion_turns_total", "job", "outcome"),
            "By how they ended.",
        ),
        graph(
            "Bars that a stream showed first",
            _events("quantbus_stream_hints_total", "job", "outcome"),
            "Before they were asked for.",
        ),
    ),
)
_BESIDES = Row(
    "Besides bars: funding, mark prices, open interest, books, markets",
    (
        graph(
            "Age of the newest observation",
            Query(
                "time() - max by (kind, symbol) (quantbus_observation_last_timestamp_seconds)",
                "{{kind}} {{symbol}}",
            ),
            "Only where `quantbus ingest observe` runs.",
            unit="s",
        ),
        graph(
            "Observations by what became of them",
            _events("quantbus_observations_written_total", "kind", "outcome"),
            "Inserted, corrected, unchanged, refused.",
        ),
        graph(
            "Rounds of asking",
            _events("quantbus_observation_cycles_total", "kind", "outcome"),
            "By how they ended.",
        ),
        graph(
            "Changes in the venue's market list",
            _events("quantbus_market_changes_total", "event"),
            "Listings, delistings, renames, rules.",
        ),
    ),
)

DATA = Dashboard(
    "data",
    "quantbus: data",
    "Bars and everything else that is fetched: how fresh, how whole, and what the exchange says.",
    (_FRESH, _WHOLE, _EXCHANGE, _BESIDES),
)
