"""Live ingestion through hours of trouble: random faults of the exchange, and SIGKILL again and again."""

import socket
from pathlib import Path

import pytest

from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.timeframe import Timeframe
from tests.integration.ingestion.market_hours import Outcome, live_through

pytestmark = pytest.mark.integration


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def assert_sound(outcome: Outcome) -> None:
    for name, expected in outcome.truth.items():
        timeframe = Timeframe.parse(name.split()[1])
        assert [bar[0] for bar in expected] == list(timeframe.range(outcome.start, outcome.end))
        assert outcome.steady[name] == expected, f"{name} of the one that ran through"
        assert outcome.killed[name] == expected, f"{name} of the one that was killed"
    assert outcome.figures.get('quantbus_ingestion_turns_total{outcome="broken"}', 0.0) == 0.0
    for trouble in ("Traceback", "never retrieved", "Unclosed", "gave_up"):
        assert trouble not in outcome.told, outcome.told[outcome.told.index(trouble) - 2000 :][:4000]


def tell(outcome: Outcome) -> str:
    errors = sum(value for name, value in outcome.figures.items() if "exchange_errors_total" in name)
    hours = (outcome.end - outcome.start).total_seconds() / 3600
    return (
        f"{hours:.1f} h of the market, {outcome.switched} faults switched, {errors:.0f} failed requests, "
        f"{outcome.kills} kills, {sum(map(len, outcome.truth.values()))} bars equal, "
        f"{outcome.revisions} revisions, memory {outcome.megabytes[1]:.0f} -> {outcome.megabytes[-1]:.0f} MB"
    )


@pytest.mark.proof
@pytest.mark.timeout(600)
def test_an_hour_of_faults_and_kills_leaves_every_bar_as_an_undisturbed_fetch_finds_it(
    mongo_settings: MongoSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = live_through(mongo_settings, tmp_path, hours=1, kills=5, seed=4, port=free_port())

    assert_sound(outcome)
    assert outcome.kills >= 5
    assert outcome.switched >= 10
    assert outcome.megabytes[-1] < outcome.megabytes[1] + 30
    with capsys.disabled():
        print("\n" + tell(outcome))  # noqa: T201


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_day_of_faults_and_kills(
    mongo_settings: MongoSettings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = live_through(mongo_settings, tmp_path, hours=24, kills=50, seed=5, port=free_port())

    assert_sound(outcome)
    assert outcome.kills >= 50
    with capsys.disabled():
        print("\n" + tell(outcome))  # noqa: T201
    third = len(outcome.megabytes) // 3
    early, late = outcome.megabytes[third : 2 * third], outcome.megabytes[2 * third :]
    assert sum(late) / len(late) < sum(early) / len(early) + 10
