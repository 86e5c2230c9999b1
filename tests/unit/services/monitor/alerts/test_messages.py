"""What a person reads about an alert."""

from typing import Any

from quantbus_services.monitor.alerts.messages import Message, message_of
from quantbus_services.monitor.alerts.webhook import Notification
from tests.unit.services.monitor.alerts.posts import alert, post


def read(*alerts: dict[str, Any], **more: Any) -> Message:
    return message_of(Notification.model_validate(post(*alerts, **more)))


def test_it_says_strategy_pair_time_in_utc_and_the_command_that_shows_more() -> None:
    told = read(
        alert(
            "SignalLate",
            severity="warning",
            strategy_id="demo",
            pair="BTC/USDT",
            annotations={
                "summary": "Signals of demo come late.",
                "description": "The newest came 40 s after its bar.",
                "command": "quantbus signals list --strategy-id demo",
                "runbook_url": "docs/runbooks/signal-late.md",
            },
        )
    )
    assert told == Message(
        "[WARNING] SignalLate: demo",
        "Signals of demo come late.\n"
        "strategy demo, pair BTC/USDT\n"
        "since 2026-01-05 12:00:07 UTC\n"
        "what: The newest came 40 s after its bar.\n"
        "see more: quantbus signals list --strategy-id demo\n"
        "what to do: docs/runbooks/signal-late.md",
        "warning",
    )


def test_a_subject_that_only_repeats_the_strategy_is_told_once() -> None:
    assert read(alert(strategy_id="demo", subject="demo")).body.count("demo") == 1


def test_firing_and_severe_alerts_come_first_and_the_title_counts_the_others() -> None:
    told = read(alert("A", resolved=True), alert("B", severity="warning"), alert("C", strategy_id="demo"))
    assert told.title == "[CRITICAL] C: demo and 2 more"
    assert told.level == "critical"
    order = [told.body.index(text) for text in ("C it is.", "B it is.", "over: A it is.")]
    assert order == sorted(order)


def test_what_is_over_says_from_when_until_when_and_asks_for_nothing() -> None:
    told = read(alert(resolved=True, annotations={"summary": "Silent.", "command": "quantbus monitor check"}))
    assert told.title == "[RESOLVED] SignalMissing"
    assert told.level == "resolved"
    assert "since 2026-01-05 12:00:07 UTC until 2026-01-05 12:30:00 UTC" in told.body
    assert "quantbus monitor check" not in told.body


def test_a_storm_is_cut_short_and_counted_with_what_alertmanager_left_out() -> None:
    told = read(*[alert(pair=f"C{number}/USDT") for number in range(25)], truncatedAlerts=4)
    assert told.body.count("SignalMissing it is.") == 10
    assert "and 19 more: quantbus monitor check" in told.body
    assert told.title.endswith("and 28 more")


def test_an_alert_without_annotations_or_a_name_is_told_all_the_same() -> None:
    bare = alert(annotations={})
    del bare["labels"]["alertname"]
    assert read(bare).title == "[CRITICAL] alert without a name"
