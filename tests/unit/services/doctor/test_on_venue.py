"""What the doctor makes of what other commands say, and how it asks them."""

import sys
from pathlib import Path
from typing import Any

import pytest

from quantbus_services.doctor.asking import Answer, run
from quantbus_services.doctor.on_venue import config_finding, key_finding, venue_finding

SLOW = "import time; time.sleep(60)"


def rights(withdraw: bool | None, trade: bool | None = False) -> Answer:
    return Answer(0, {"venue": "binance", "can_withdraw": withdraw, "can_trade": trade}, "")


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (rights(False), "ok"),
        (rights(False, True), "warn"),
        (rights(True), "fail"),
        (rights(None, None), "unknown"),
        (Answer(1, None, "binance does not answer"), "unknown"),
        (Answer(None, None, "no answer within 120 s"), "unknown"),
    ],
)
def test_a_key_is_fine_only_where_the_venue_says_that_it_cannot_withdraw(answer: Answer, status: str) -> None:
    assert key_finding(answer).status == status


@pytest.mark.parametrize(
    ("offset", "status"), [(0.0, "ok"), (None, "ok"), (-3.0, "ok"), (1.5, "fail"), (-6.0, "fail")]
)
def test_an_exchange_answers_with_the_same_time_as_here(offset: float | None, status: str) -> None:
    found = venue_finding(Answer(0, {"venue": "binance", "offset_seconds": offset}, ""))
    assert found.status == status


def test_an_exchange_that_does_not_answer_fails_with_what_was_said() -> None:
    found = venue_finding(Answer(1, None, "could not ask for the time at binance"))
    assert found.status == "fail"
    assert "could not ask" in found.found


def row(severity: str, check: str) -> dict[str, str]:
    return {"severity": severity, "check": check, "message": "something"}


@pytest.mark.parametrize(
    ("fit", "rows", "status"),
    [
        (True, [], "ok"),
        (True, [row("note", "layout")], "ok"),
        (True, [row("warning", "roi")], "warn"),
        (False, [row("error", "stoploss"), row("note", "layout")], "fail"),
    ],
)
def test_a_config_is_as_good_as_the_executor_finds_it(fit: bool, rows: list[Any], status: str) -> None:
    found = config_finding("bot.json", Answer(0 if fit else 1, {"fit": fit, "findings": rows}, ""))
    assert found.status == status
    assert "layout" not in found.found


@pytest.mark.parametrize(("severity", "status"), [("warning", "ok"), ("error", "fail")])
def test_a_warning_that_another_check_sees_to_is_left_to_it_and_an_error_is_not(
    severity: str, status: str
) -> None:
    rows = [{"check": "api", "severity": severity, "message": "listens on 0.0.0.0"}]
    told = Answer(0, {"fit": severity == "warning", "findings": rows}, "")
    assert config_finding("bot.json", told, settled=("api",)).status == status


def test_a_config_that_cannot_be_read_fails_and_a_missing_executor_is_unknown() -> None:
    assert config_finding("bot.json", Answer(2, None, "expected a config")).status == "fail"
    absent = Answer(2, None, "needs the Python module 'quantbus_executor', which is not installed")
    assert config_finding("bot.json", absent).status == "unknown"
    assert config_finding("bot.json", Answer(None, None, "no answer within 1 s")).status == "unknown"


def test_a_command_that_hangs_is_ended_and_is_no_answer() -> None:
    answer = run([sys.executable, "-c", SLOW], 0.5)
    assert (answer.code, answer.told) == (None, None)
    assert "no answer within" in answer.words


def test_a_command_that_is_not_there_or_speaks_no_json_is_told_in_words(tmp_path: Path) -> None:
    assert "cannot be run" in run([str(tmp_path / "nothing")], 5).words
    answer = run([sys.executable, "-c", "import sys; sys.exit('error: no such bus')"], 30)
    assert (answer.code, answer.told, answer.words) == (1, None, "no such bus")
    silent = run([sys.executable, "-c", ""], 30)
    assert silent.words == "nothing, and ended with 0"
