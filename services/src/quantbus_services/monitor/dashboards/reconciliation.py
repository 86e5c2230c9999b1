"""Whether signals, bots and the exchange's account tell the same story."""

from quantbus_services.monitor.dashboards.model import Dashboard, Query, Row, graph, number, table

__all__ = ["RECONCILIATION"]


def _standing(check: str) -> str:
    return (
        "1000 * min by (severity, kind, subject, strategy_id, pair)"
        f' (quantbus_finding_since_timestamp_seconds{{check="{check}"}})'
    )


_NOW = Row(
    "Now",
    (
        number(
            "Disagreements",
            "sum(quantbus_reconcile_mismatches)",
            "Of open trades with signals and account. Unknown while the bot does not answer: never none.",
            steps=((1, "red"),),
            width=6,
        ),
        number(
            "Last compared",
            "time() - (quantbus_reconcile_last_success_timestamp_seconds > 0)",
            "How long ago trades were last held against signals.",
            unit="s",
            steps=((60, "orange"), (120, "red")),
            width=6,
            unknown="never",
        ),
        number(
            "Account last read",
            "time() - (max(quantbus_account_complete_timestamp_seconds) > 0)",
            "How long ago all of the exchange account was last read.",
            unit="s",
            steps=((120, "orange"), (300, "red")),
            width=6,
            unknown="not watched",
        ),
        number(
            "Orders in doubt",
            'sum(quantbus_monitor_findings{check="orders_in_doubt"})',
            "Orders of unknown fate, and accounts without their lease.",
            steps=((1, "red"),),
            width=6,
        ),
    ),
)
_DIFFERS = Row(
    "What differs",
    (
        table(
            "Disagreements that stand, since",
            _standing("position_mismatch"),
            "docs/reconciliation.md explains each kind.",
            unit="dateTimeFromNow",
            width=12,
        ),
        table(
            "In doubt, since",
            _standing("orders_in_doubt"),
            "docs/exactly-once.md says what to do.",
            unit="dateTimeFromNow",
            width=12,
        ),
        graph(
            "Disagreements by kind",
            Query("max by (kind) (quantbus_reconcile_mismatches)", "{{kind}}"),
            "A gap: nobody knew.",
            width=24,
        ),
    ),
)
_ACCOUNT = Row(
    "The exchange's account, beside the bot's books",
    (
        graph(
            "The account has",
            Query(
                "max by (account, market, currency) (quantbus_account_balance)",
                "{{account}} {{market}} {{currency}}",
            ),
            "As the venue says; a gap where it was not known.",
        ),
        graph(
            "The bots have",
            Query(
                'max by (consumer_id, currency) (quantbus_bot_balance{kind="total"})',
                "{{consumer_id}} {{currency}}",
            ),
            "By their own books. A dry run's money is not in the account.",
        ),
        graph(
            "Looks at the account",
            Query(
                "sum by (outcome) (increase(quantbus_account_looks_total[$__rate_interval]))", "{{outcome}}"
            ),
            "By outcome.",
        ),
        graph(
            "Questions that the venue did not answer",
            Query("sum by (kind) (increase(quantbus_account_errors_total[$__rate_interval]))", "{{kind}}"),
            "By what went wrong.",
        ),
    ),
)

RECONCILIATION = Dashboard(
    "reconciliation",
    "quantbus: reconciliation",
    "Whether signals, bots and the exchange's account tell the same story.",
    (_NOW, _DIFFERS, _ACCOUNT),
)
