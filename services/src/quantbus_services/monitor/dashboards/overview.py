"""Is all well, and if not, where to look."""

from quantbus_services.monitor.dashboards.model import Dashboard, Query, Row, graph, number, quantiles, table

__all__ = ["OVERVIEW"]

_UP = ((0, "down", "red"), (1, "up", "green"))
_ANY_IS_BAD = ((1, "red"),)
_ANY_IS_ODD = ((1, "orange"),)
_RULES_LIVE = 'count(ALERTS{alertname="Watchdog", alertstate="firing"})'
"""Present only while Prometheus evaluates our rules: without it, no alert means nothing."""
_FIRING = 'ALERTS{alertstate="firing", severity="%s"}'

_NOW = Row(
    "Now",
    (
        number("Bus", "min(quantbus_bus_up)", "Whether MongoDB answers every process of ours.", words=_UP),
        number("Bot", "min(quantbus_freqtrade_up)", "Whether Freqtrade's REST API answers.", words=_UP),
        number(
            "Critical alerts",
            f"count({_FIRING % 'critical'}) or 0 * {_RULES_LIVE}",
            "Alerts that somebody was woken for. Unknown while Prometheus does not evaluate the rules.",
            steps=_ANY_IS_BAD,
        ),
        number(
            "Warnings",
            f"count({_FIRING % 'warning'}) or 0 * {_RULES_LIVE}",
            "Alerts that can wait for the morning. Unknown while Prometheus does not evaluate the rules.",
            steps=_ANY_IS_ODD,
        ),
        number(
            "Checks that know nothing",
            "count(time() - quantbus_monitor_check_last_known_timestamp_seconds > 180)"
            " or 0 * count(quantbus_monitor_check_last_known_timestamp_seconds)",
            "Checks without an answer for three minutes: what they look at is unknown, not well.",
            steps=_ANY_IS_ODD,
        ),
        number(
            "Controls in force",
            "sum(quantbus_controls_in_force)",
            "Pauses, blocks and limits that restrain bots now.",
            steps=_ANY_IS_ODD,
        ),
        number(
            "Targets that give no figures",
            'count(up{job=~"quantbus-.+"} == 0) or 0 * count(up{job=~"quantbus-.+"})',
            "Processes of ours that Prometheus cannot ask.",
            steps=_ANY_IS_BAD,
        ),
        number(
            "Watchdog heard",
            "time() - (quantbus_watchdog_last_timestamp_seconds > 0)",
            "How long ago the alert that always fires last came back to the monitor, through Alertmanager.",
            unit="s",
            steps=((60, "orange"), (90, "red")),
            unknown="never",
        ),
        number(
            "Monitor's last round",
            "time() - quantbus_monitor_last_cycle_timestamp_seconds",
            "How long ago the last round of checks ended.",
            unit="s",
            steps=((30, "red"),),
        ),
        number(
            "Worst clock",
            "max(abs(quantbus_clock_offset_seconds))",
            "The furthest that another clock is from one of ours.",
            unit="s",
            steps=((0.5, "orange"), (1, "red")),
        ),
        number(
            "Room on the bus's disk",
            'min(quantbus_bus_disk_bytes{kind="free"} / ignoring (kind) quantbus_bus_disk_bytes{kind="size"})',
            "Free share of the disk that MongoDB writes to. When it is full, MongoDB stops.",
            unit="percentunit",
            steps=((0.0, "red"), (0.1, "orange"), (0.2, "green")),
        ),
        number(
            "Open trades",
            "sum(quantbus_freqtrade_open_trades)",
            "Of all bots that answer.",
        ),
    ),
)
_WRONG = Row(
    "What is wrong",
    (
        table(
            "Alerts that fire",
            "count by (severity, alertname, strategy_id, symbol, pair, subject, process)"
            ' (ALERTS{alertstate="firing", alertname!="Watchdog"})',
            "As Prometheus judges; docs/alerting.md has a runbook for each.",
            unit="none",
            width=12,
        ),
        table(
            "Findings that stand, since",
            "1000 * min by (severity, kind, subject, strategy_id, pair)"
            " (quantbus_finding_since_timestamp_seconds)",
            "As the monitor finds; `quantbus monitor findings` says more.",
            unit="dateTimeFromNow",
            width=12,
        ),
        graph(
            "Findings by check",
            Query("max by (check) (quantbus_monitor_findings) > 0", "{{check}}"),
            "What each check finds wrong; a check that knows nothing has no line.",
        ),
        graph(
            "Checks without an answer",
            Query(
                "sum by (check) (increase(quantbus_monitor_check_failures_total[$__rate_interval]))",
                "{{check}}",
            ),
            "Looks that could not know: the bus or the bot did not answer, or the user may not ask.",
        ),
    ),
)
_MONEY = Row(
    "Money",
    (
        graph(
            "Equity",
            Query(
                "max by (consumer_id, currency) (quantbus_freqtrade_equity)", "{{consumer_id}} {{currency}}"
            ),
            "What Freqtrade counts as its own, open trades included.",
            width=8,
        ),
        graph(
            "Profit of the day",
            Query("max by (consumer_id) (quantbus_freqtrade_day_profit_ratio)", "{{consumer_id}}"),
            "Since midnight UTC, open trades included.",
            unit="percentunit",
            width=8,
        ),
        graph(
            "Drawdown",
            Query("max by (consumer_id) (quantbus_freqtrade_drawdown_ratio)", "{{consumer_id}}"),
            "From the highest closed balance down to the equity now.",
            unit="percentunit",
            width=8,
        ),
    ),
)
_GROUND = Row(
    "What it all stands on",
    (
        graph(
            "Signs of life",
            Query(
                "time() - max by (process, exported_instance) (quantbus_heartbeat_timestamp_seconds)",
                "{{process}} {{exported_instance}}",
            ),
            "How long ago each process last told the bus that it lives.",
            unit="s",
            steps=((60, "red"),),
        ),
        graph(
            "Clocks",
            Query("max by (job, source) (quantbus_clock_offset_seconds)", "{{job}}: {{source}}"),
            "How far another clock is ahead of ours: the bus's, an exchange's.",
            unit="s",
        ),
        graph(
            "Replica lag",
            Query("max by (member) (quantbus_bus_replica_lag_seconds)", "{{member}}"),
            "By how much a member of the replica set is behind the primary.",
            unit="s",
            width=8,
        ),
        graph(
            "Members of the replica set",
            Query("max by (state) (quantbus_bus_members)", "{{state}}"),
            "By state: one primary, the others secondaries.",
            width=8,
        ),
        graph(
            "The bus's disk",
            Query("max by (kind) (quantbus_bus_disk_bytes)", "{{kind}}"),
            "Size and free room.",
            unit="bytes",
            width=8,
        ),
        graph(
            "Messages to messengers",
            Query(
                "sum by (outcome) (increase(quantbus_alert_messages_total[$__rate_interval]))", "{{outcome}}"
            ),
            "By what became of them; failed and dropped ones are an alert of their own.",
            width=8,
        ),
        graph(
            "Posts to /alerts that were refused",
            Query("sum(increase(quantbus_alert_posts_refused_total[$__rate_interval]))", "refused"),
            "Without the token, too large, or not what Alertmanager writes.",
            width=8,
        ),
        quantiles("A round of checks takes", "quantbus_monitor_cycle_seconds", "Of the monitor."),
        table(
            "What runs",
            "count by (job, instance, process, version) (quantbus_build_info)",
            "Processes by version.",
            unit="none",
            unknown="unknown",
        ),
    ),
)

OVERVIEW = Dashboard(
    "overview",
    "quantbus: overview",
    "Is all well, and if not, where to look.",
    (_NOW, _WRONG, _MONEY, _GROUND),
)
