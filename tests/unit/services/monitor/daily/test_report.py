"""The report of a day, from facts."""

from dataclasses import replace
from datetime import timedelta

import pytest

from quantbus_contracts.schema import ExecutionState
from quantbus_services.monitor.daily.judging import report_of
from quantbus_services.monitor.daily.markdown import markdown_of
from quantbus_services.monitor.daily.money import profits_of
from quantbus_services.monitor.daily.page import page_of
from quantbus_services.monitor.daily.report import DayReport, StrategyDay
from quantbus_services.monitor.daily.silence import bars_due, silent_bars
from tests.unit.services.monitor.daily.a_day import (
    END,
    QUIET,
    START,
    TREND,
    busy_day,
    fill,
    quiet_day,
    row,
    said,
)


@pytest.fixture(scope="module")
def report() -> DayReport:
    return report_of(busy_day())


@pytest.fixture(scope="module")
def trend(report: DayReport) -> StrategyDay:
    return next(item for item in report.strategies if item.strategy_id == "trend")


def test_each_signal_is_counted_once_by_the_furthest_that_a_bot_came_with_it(trend: StrategyDay) -> None:
    told = trend.outcomes
    assert (told.traded, told.refused, told.rejected, told.unknown, told.unseen) == (10, 6, 2, 1, 3)
    assert sum(told.model_dump().values()) == trend.published == 22
    facts = busy_day()
    signal = said(3)
    two = replace(
        facts,
        signals=[signal],
        ledger=[row(signal, ExecutionState.REFUSED, "no_slot"), row(signal, ExecutionState.FILLED, bot="b")],
    )
    assert report_of(two).strategies[1].outcomes.traded == 1
    assert report_of(two).strategies[1].outcomes.refused == 0


def test_refusals_come_with_what_they_mean_and_what_to_do(trend: StrategyDay) -> None:
    first = trend.refusals[0]
    assert (first.reason, first.count) == ("no_slot", 6)
    assert "max_open_trades" in first.remedy
    unheard_of = replace(busy_day(), ledger=[row(said(3), ExecutionState.REFUSED, "of_tomorrow")])
    assert report_of(unheard_of).strategies[1].refusals[0].reason == "of_tomorrow"


def test_what_was_seen_the_day_after_was_seen_and_is_not_counted_twice() -> None:
    late = said(22, delay=3_599.9)
    facts = replace(busy_day(), signals=[late], ledger=[row(late, ExecutionState.REFUSED, "no_slot")])
    assert facts.ledger[0].seen_at >= END
    told = report_of(facts).strategies[1]
    assert (told.outcomes.unseen, told.outcomes.refused, told.refusals) == (0, 1, ())


def test_hops_are_spread(trend: StrategyDay) -> None:
    hops = {item.hop: item.seconds for item in trend.hops}
    assert hops["bar close → available"].count == 22
    assert hops["bar close → available"].p50 == pytest.approx(10.0)
    assert hops["bar close → available"].p95 == pytest.approx(20.0)
    assert hops["bar close → available"].worst == pytest.approx(21.0)
    assert hops["available → seen"].p95 == pytest.approx(0.5)
    assert hops["ordered → filled"].count == 10
    assert "bar close → ingested" in hops
    assert trend.slippage is not None
    assert trend.slippage.p50 == pytest.approx(0.001)


def test_silent_bars_are_told_as_stretches(trend: StrategyDay) -> None:
    assert trend.bars_due == 24
    assert [(item.first, item.bars) for item in trend.silent] == [
        (START + timedelta(hours=12), 2),
        (START + timedelta(hours=21), 2),
    ]
    assert trend.bars_silent == 4
    assert trend.degraded == 1


def test_a_bar_whose_time_is_not_over_is_not_silent() -> None:
    bars = bars_due(TREND, START, END, START + timedelta(hours=2, minutes=29))
    assert bars == [START + timedelta(hours=hour) for hour in (-1, 0)]


def test_a_cadence_goes_on_from_the_last_evaluation() -> None:
    bars = bars_due(QUIET, START, END, END + timedelta(days=1))
    assert len(bars) == 6
    before = bars[0] - timedelta(hours=4)
    assert silent_bars(QUIET, bars, [before, bars[1], bars[3], bars[5]], None) == (3, [])
    assert silent_bars(QUIET, bars, [before, bars[1], bars[5]], None) == (3, [bars[3]])
    assert silent_bars(QUIET, bars, [], START + timedelta(hours=20)) == (0, [])
    assert silent_bars(QUIET, bars, [], None)[0] == 3
    assert silent_bars(QUIET.model_copy(update={"cadence_bars": None}), bars, [], None) == (0, [])


def test_money_is_counted_from_known_entries_only(trend: StrategyDay) -> None:
    [profit] = trend.profits
    assert profit.realised == pytest.approx((110 - 100) + (90 - 88))
    assert (profit.exits, profit.unknown_exits, profit.currency) == (3, 1, "USDT")
    short = [fill("entry", 100.0, 1, side="sell"), fill("stop", 110.0, 2, side="buy", amount=0.5)]
    assert profits_of(short, [])["trend"][0].realised == pytest.approx(-5.0)
    averaged = [
        fill("entry", 100.0, 1, side="buy"),
        fill("entry", 200.0, 2, side="buy"),
        fill("exit", 180.0, 3, side="sell", amount=2.0),
    ]
    assert profits_of(averaged, [])["trend"][0].realised == pytest.approx(60.0)


def test_what_is_held_is_worth_nothing_known_without_a_price(trend: StrategyDay) -> None:
    [held] = trend.held
    assert (held.worth, held.unrealised) == (-90.0, 10.0)
    blind = replace(busy_day(), closes={})
    [held] = report_of(blind).strategies[1].held
    assert (held.worth, held.unrealised) == (None, None)


def test_findings_are_told_for_each_time_that_they_stood_that_day(report: DayReport) -> None:
    told = [(item.subject, item.resolved_at) for item in report.findings]
    assert told == [
        ("BINANCE:ETHUSDT 1h", None),
        ("BINANCE:BTCUSDT 1h", START + timedelta(hours=4)),
    ]
    assert [item.kind for item in report.data] == ["gap", "stale", "disagreed", "revised", "stale"]


def test_controls_say_what_happened_to_them(report: DayReport) -> None:
    assert [(item.scope, item.what) for item in report.controls] == [
        ("all", ("in force",)),
        ("pair:ETH/USDT", ("set", "lifted")),
    ]


def test_every_open_question_names_a_command(report: DayReport) -> None:
    assert all(question.command.startswith("quantbus ") for question in report.questions)
    severities = [question.severity for question in report.questions]
    assert severities == sorted(severities)  # critical first
    told = "\n".join(question.what for question in report.questions)
    for expected in (
        "is unknown",
        "candle_stale",
        "silent for 4 of 24",
        "seen by no bot",
        "an entry on the bus",
    ):
        assert expected in told
    assert "halt all by anna" in told


def test_a_day_without_anything_says_so() -> None:
    report = report_of(quiet_day())
    assert report.complete
    assert (report.strategies, report.questions) == ((), ())
    assert "Nothing is left to ask" in markdown_of(report)
    assert "Nothing is left to ask" in page_of(report)


def test_a_bot_that_does_not_answer_is_a_question_and_not_a_zero() -> None:
    report = report_of(replace(busy_day(), bot=None, bot_error="refused"))
    assert report.bot is not None
    assert report.bot.equity is None
    assert any("did not say how it stands" in question.what for question in report.questions)
    assert "did not answer" in page_of(report)
    assert "Unknown: refused" in markdown_of(report)


def test_what_the_figures_do_not_cover_is_said() -> None:
    facts = replace(busy_day(), now=START + timedelta(hours=6), cut_off=("fills",), unreadable=2)
    report = report_of(facts)
    assert not report.complete
    assert len(report.left_out) == 3
    assert "Not covered" in page_of(report)
    assert "more fills than" in markdown_of(report)


def test_the_page_needs_nothing_else_and_believes_nobody(report: DayReport) -> None:
    page = page_of(report)
    assert "<b>yet</b>" not in page
    assert "&lt;b&gt;yet&lt;/b&gt;" in page
    for outside in ("http://", "https://", "<script", "src=", "@import", "url("):
        assert outside not in page
    assert "prefers-color-scheme: dark" in page


def test_both_forms_tell_the_same(report: DayReport) -> None:
    page, markdown = page_of(report), markdown_of(report)
    for told in (
        "no such pair",
        "max_open_trades",
        "positions disagree",
        "3 bars",
        "+12.00",
        "2026-01-05 12:00:00",
    ):
        assert told in page.replace("&#39;", "'"), told
    for told in (
        "no such pair \\|",
        "max_open_trades",
        "positions disagree",
        "+12.00",
        "2026-01-05 12:00:00",
    ):
        assert told in markdown, told
    assert all(line.count(" | ") < 9 for line in markdown.splitlines())
    assert DayReport.model_validate_json(report.model_dump_json()) == report


def test_many_strategies_of_one_trouble_are_counted_and_not_all_named() -> None:
    many = [TREND.model_copy(update={"strategy_id": f"s{number:03}"}) for number in range(100)]
    report = report_of(replace(quiet_day(), strategies=many))
    assert len(report.questions) == 6
    assert "95 more strategies with silent bars" in report.questions[-1].what
    assert "<details" in page_of(report)
    assert " open>" not in page_of(report)
