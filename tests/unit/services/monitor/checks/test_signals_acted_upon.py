"""What bots make of signals: `refused_share` and `whitelist_exposure`."""

from datetime import UTC, datetime, timedelta

import pytest

from quantbus_contracts import Execution
from quantbus_contracts.testing import make_execution, make_signal
from quantbus_services.monitor.checks import Sources
from quantbus_services.monitor.checks.signals import RefusedShare, WhitelistExposure
from quantbus_services.monitor.freqtrade_api import BotUnavailable
from tests.unit.services.monitor.fake_bus import FakeBus, FakeFigures, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
SOON = NOON + seconds(60)


def rows(count: int, state: str, reason: str | None = None, *, since: int = 0) -> list[Execution]:
    return [
        make_execution(
            make_signal(ts=NOON - timedelta(minutes=since + number)),
            state=state,
            reason=reason,
            available_at=NOON,
            seen_at=NOON,
            filled_at=NOON if state == "filled" else None,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("refused", "filled", "found"),
    [(4, 0, False), (5, 0, True), (5, 5, False), (6, 5, True), (6, 60, False)],
)
async def test_refusals_stand_out_by_share_and_number(
    bus: FakeBus, refused: int, filled: int, found: bool
) -> None:
    bus.ledger.record(rows(refused, "refused", "stale") + rows(filled, "filled", since=100))
    findings = await RefusedShare(Sources(bus)).check(SOON)
    assert [item.subject for item in findings] == (["bot stale"] if found else [])
    if found:
        assert "rules.tolerance_bars" in findings[0].action


@pytest.mark.parametrize("reason", ["in_position", "superseded", "below_threshold", "minimum_hold"])
async def test_refusals_about_which_nothing_needs_to_be_done_do_not_count(bus: FakeBus, reason: str) -> None:
    bus.ledger.record(rows(20, "refused", reason))
    assert await RefusedShare(Sources(bus)).check(SOON) == []


async def test_refusals_of_an_hour_ago_are_over(bus: FakeBus) -> None:
    bus.ledger.record(rows(20, "refused", "stale"))
    assert await RefusedShare(Sources(bus)).check(NOON + timedelta(hours=1, seconds=1)) == []


async def test_a_word_that_this_code_does_not_know_is_told_all_the_same(bus: FakeBus) -> None:
    bus.ledger.record(rows(20, "refused", "of_another_version"))
    [finding] = await RefusedShare(Sources(bus)).check(SOON)
    assert finding.subject == "bot of_another_version"


def follow(bus: FakeBus, *pairs: str) -> None:
    """Let the bot follow ``test``, which speaks of these pairs now."""
    bus.clock.set(SOON)
    symbols = {pair: f"BINANCE:{pair.replace('/', '')}" for pair in pairs}
    signals = [make_signal(ts=NOON, pair=pair, symbol=symbol) for pair, symbol in symbols.items()]
    bus.signal_store.publish(signals)
    bus.ledger.record([make_execution(signals[0], available_at=SOON, seen_at=SOON)])


@pytest.mark.parametrize(
    ("whitelist", "lacking"),
    [({"BTC/USDT", "ETH/USDT"}, ""), ({"BTC/USDT"}, "ETH/USDT"), (set(), "BTC/USDT, ETH/USDT")],
)
async def test_pairs_that_the_whitelist_lacks_are_named(
    bus: FakeBus, whitelist: set[str], lacking: str
) -> None:
    follow(bus, "BTC/USDT", "ETH/USDT")
    figures = FakeFigures({"whitelist": frozenset(whitelist)})
    findings = await WhitelistExposure(Sources(bus, figures=figures)).check(SOON)
    assert [item.subject for item in findings] == (["test"] if lacking else [])
    assert all(lacking in item.message for item in findings)


async def test_a_strategy_that_the_bot_does_not_follow_may_speak_of_any_pair(bus: FakeBus) -> None:
    follow(bus, "BTC/USDT")
    figures = FakeFigures({"whitelist": frozenset()})
    check = WhitelistExposure(Sources(bus, figures=figures, consumer_id="another"))
    assert await check.check(SOON) == []


async def test_the_whitelist_of_a_bot_that_does_not_answer_is_unknown(bus: FakeBus) -> None:
    follow(bus, "BTC/USDT")
    with pytest.raises(BotUnavailable):
        await WhitelistExposure(Sources(bus, figures=FakeFigures(down=True))).check(SOON)
