from datetime import timedelta
from pathlib import Path

import pytest

from quantbus_contracts.errors import ArtefactError, BusUnavailable, ConfigError
from quantbus_contracts.schema import Gap, GapState, PublishReport
from quantbus_research.dataset import TooFewBars, build_table
from quantbus_research.workflows import (
    infer,
    newest_bar,
    run_once,
    speaker_of,
    train,
    training_end,
    wait_for_bar,
)
from quantbus_research.workflows.train import validation_metrics
from tests.unit.research.panels import BTC, MINUTE, START, altered, make_series, panel_of
from tests.unit.research.recipes import make_recipe
from tests.unit.research.sessions import World, make_world

BARS = 205
NEWEST = START + (BARS - 1) * MINUTE.delta


@pytest.fixture
def world(tmp_path: Path) -> World:
    return make_world(tmp_path, bars=BARS)


def test_training_data_ends_at_a_fixed_step_and_never_after_the_bar() -> None:
    recipe = make_recipe()
    ends = [training_end(recipe, START + bar * MINUTE.delta) for bar in range(30)]
    assert all(end <= START + (bar + 1) * MINUTE.delta for bar, end in enumerate(ends))
    assert ends[9:19] == [START + 10 * MINUTE.delta] * 10


def test_a_model_is_trained_once_and_then_taken_from_the_shelf(world: World) -> None:
    first = train(world.session, NEWEST)
    second = train(world.session, NEWEST)
    assert (first.reused, second.reused) == (False, True)
    assert second.model.to_text() == first.model.to_text()
    again = train(world.session, NEWEST, retrain=True)
    assert not again.reused
    assert again.manifest.model_sha256 == first.manifest.model_sha256


def test_a_model_says_what_it_has_seen(world: World) -> None:
    manifest = train(world.session, NEWEST).manifest
    assert manifest.data.last_open_time == START + 199 * MINUTE.delta
    assert manifest.data.bars == {"BINANCE:BTCUSDT": 200, "BINANCE:ETHUSDT": 200}
    assert list(manifest.factors) == list(world.session.recipe.factors.names)
    assert manifest.metrics["rows_train"]
    assert 0.0 <= (manifest.metrics["auc"] or -1.0) <= 1.0


def test_a_corrected_bar_makes_another_model(world: World) -> None:
    first = train(world.session, NEWEST)
    world.panel = altered(world.panel, BTC, START + 50 * MINUTE.delta, volume=77.0)
    second = train(world.session, NEWEST)
    assert not second.reused
    assert second.manifest.model_id != first.manifest.model_id


def test_training_sees_no_bar_after_its_end(world: World, tmp_path: Path) -> None:
    other = make_world(tmp_path / "other", bars=BARS)
    future = other.panel.index.get_level_values(1) >= START + 200 * MINUTE.delta
    other.panel = other.panel.assign(close=other.panel["close"].mask(future, 1.0))
    assert train(other.session, NEWEST).model.to_text() == train(world.session, NEWEST).model.to_text()


def test_a_tampered_model_is_not_used(world: World) -> None:
    trained = train(world.session, NEWEST)
    folder = world.session.registry.folder("demo", trained.manifest.model_id)
    (folder / "model.txt").write_text(trained.model.to_text() + "\n")
    with pytest.raises(ArtefactError, match="changed after training"):
        run_once(world.session)
    assert not world.signals.signals


def test_too_little_history_trains_no_model(tmp_path: Path) -> None:
    with pytest.raises(TooFewBars, match="BTC/USDT has 90"):
        train(make_world(tmp_path, bars=95).session, START + 94 * MINUTE.delta)


def test_a_run_publishes_records_and_declares(world: World) -> None:
    report = run_once(world.session)
    assert report.inference.origin == "live"
    assert report.inference.report.inserted == 2
    run = world.runs()[BARS - 1]
    assert (run.pairs_evaluated, run.signals, run.degraded) == (2, 2, None)
    assert world.sink.strategies.standing["demo"].strategy.pairs == ("BTC/USDT", "ETH/USDT")
    row = world.signals.range("demo", MINUTE, "BTC/USDT", START, NEWEST + MINUTE.delta)[0].signal
    assert row.action == "enter_long"
    assert row.score is not None
    assert row.valid_until == NEWEST + 3 * MINUTE.delta
    assert row.model_hash == report.model.manifest.model_sha256
    assert row.ref_price == pytest.approx(world.panel["close"].loc[("BINANCE:BTCUSDT", NEWEST)])


def test_a_second_run_of_the_same_bar_changes_nothing(world: World) -> None:
    run_once(world.session)
    world.clock.advance(timedelta(seconds=20))
    again = run_once(world.session)
    assert again.model.reused
    assert again.inference.report.unchanged == 2
    assert again.inference.report.inserted == 0


def test_a_bar_that_says_nothing_is_recorded_all_the_same(tmp_path: Path) -> None:
    recipe = make_recipe(
        'nodes.policy={kind="rule", inputs=["model"], thresholds="absolute", enter=1.0, exit=-1.0}'
    )
    world = make_world(tmp_path, bars=BARS, recipe=recipe)
    run_once(world.session)
    assert world.said() == {}
    assert (world.runs()[BARS - 1].pairs_evaluated, world.runs()[BARS - 1].signals) == (2, 0)


def test_a_round_trip_takes_as_many_bars_as_the_recipe_says(world: World) -> None:
    for bar in range(BARS - 1, BARS + 6):
        world.clock.set(START + (bar + 1) * MINUTE.delta)
        world.feed(world.clock.now(), after=0)
        run_once(world.session)
    actions = {bar: action for bar, (action, _) in world.said().items()}
    entered = BARS - 1
    assert actions[entered] == "enter_long"
    left = next(bar for bar, action in actions.items() if action == "exit_long")
    assert left <= entered + 2
    assert "enter_long" in [action for bar, action in actions.items() if left < bar <= left + 1]


def test_a_past_moment_publishes_backfill_and_promises_nothing(world: World) -> None:
    as_of = START + timedelta(minutes=150, seconds=59)
    report = run_once(world.session, as_of=as_of)
    assert world.said()[149][1] == "backfill"
    assert report.model.manifest.data.last_open_time < as_of
    assert world.sink.strategies.standing["demo"].strategy.cadence_bars is None


def test_a_past_moment_never_rewrites_what_was_said_live(world: World) -> None:
    run_once(world.session)
    world.clock.advance(timedelta(minutes=7))
    report = run_once(world.session, as_of=NEWEST + MINUTE.delta)
    assert report.inference.signals == ()
    assert world.said()[BARS - 1] == ("enter_long", "live")


def test_bars_that_ended_long_ago_are_backfill(world: World) -> None:
    world.clock.advance(timedelta(hours=3))
    report = run_once(world.session, pause=world.pause)
    assert (report.inference.bar, report.inference.origin) == (NEWEST, "backfill")


def test_a_run_waits_for_a_bar_that_is_about_to_come(world: World) -> None:
    world.clock.advance(timedelta(seconds=61))
    world.on_pause.append(lambda now: world.feed(now, after=3))
    report = run_once(world.session, pause=world.pause)
    assert (report.inference.bar, report.inference.origin) == (NEWEST + MINUTE.delta, "live")


def test_an_empty_bus_is_told_with_the_way_out(tmp_path: Path) -> None:
    world = make_world(tmp_path, bars=0)
    with pytest.raises(ConfigError, match="found none on the bus; bring them in with `quantbus ingest"):
        run_once(world.session)


def drop(world: World, symbol: str, bar: int) -> None:
    del world.candles.bars[(symbol, "1m", START + bar * MINUTE.delta)]


def test_a_gap_in_the_look_back_is_published_as_degraded(world: World) -> None:
    drop(world, "BINANCE:BTCUSDT", BARS - 20)
    run_once(world.session)
    row = world.signals.range("demo", MINUTE, "BTC/USDT", START, NEWEST + MINUTE.delta)[0].signal
    assert row.degraded == "1 of the last 60 bars are missing"
    other = world.signals.range("demo", MINUTE, "ETH/USDT", START, NEWEST + MINUTE.delta)[0].signal
    assert other.degraded is None
    assert world.runs()[BARS - 1].degraded == "BTC/USDT: 1 of the last 60 bars are missing"


def test_a_gap_is_skipped_where_the_recipe_says_so(tmp_path: Path) -> None:
    recipe = make_recipe("nodes.policy.on_gap=skip")
    world = make_world(tmp_path, bars=BARS, recipe=recipe)
    drop(world, "BINANCE:BTCUSDT", BARS - 20)
    run_once(world.session)
    assert world.said("BTC/USDT") == {}
    assert world.said("ETH/USDT")[BARS - 1][0] == "enter_long"
    assert world.runs()[BARS - 1].degraded


def confirm_empty(world: World, symbol: str, first: int, last: int) -> None:
    world.gaps.known.append(
        Gap(
            symbol=symbol,
            timeframe="1m",
            start=START + first * MINUTE.delta,
            end=START + (last + 1) * MINUTE.delta,
            state=GapState.EMPTY,
            first_seen=START,
            source="test",
        )
    )


def test_a_gap_that_the_venue_has_confirmed_is_degraded_and_told_apart(world: World) -> None:
    for bar in (BARS - 21, BARS - 20, BARS - 10):
        drop(world, "BINANCE:BTCUSDT", bar)
    confirm_empty(world, "BINANCE:BTCUSDT", BARS - 21, BARS - 20)
    run_once(world.session)
    row = world.signals.range("demo", MINUTE, "BTC/USDT", START, NEWEST + MINUTE.delta)[0].signal
    assert row.degraded == "3 of the last 60 bars are missing, 2 of them at the venue too"


@pytest.mark.parametrize(("confirmed", "said"), [(True, True), (False, False)])
def test_only_gaps_that_may_be_filled_yet_are_skipped_where_the_recipe_says_so(
    tmp_path: Path, confirmed: bool, said: bool
) -> None:
    world = make_world(tmp_path, bars=BARS, recipe=make_recipe("nodes.policy.on_gap=skip_open"))
    drop(world, "BINANCE:BTCUSDT", BARS - 20)
    if confirmed:
        confirm_empty(world, "BINANCE:BTCUSDT", BARS - 20, BARS - 20)
    run_once(world.session)
    assert (world.said("BTC/USDT") != {}) is said
    assert world.runs()[BARS - 1].degraded


def test_a_gap_before_the_look_back_does_not_matter(world: World) -> None:
    drop(world, "BINANCE:BTCUSDT", BARS - 61)
    run_once(world.session)
    assert world.runs()[BARS - 1].degraded is None


def test_a_missing_newest_bar_is_degraded_and_says_nothing(world: World) -> None:
    drop(world, "BINANCE:ETHUSDT", BARS - 1)
    run_once(world.session, pause=world.pause)
    assert world.said("ETH/USDT") == {}
    run = world.runs()[BARS - 1]
    assert (run.pairs_evaluated, run.degraded) == (1, "ETH/USDT: the bar is missing")


def test_rows_that_were_not_confirmed_are_to_be_published_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = train(world.session, NEWEST)
    monkeypatch.setattr(world.sink, "publish", lambda _rows: PublishReport(inserted=1, unknown=1))
    with pytest.raises(BusUnavailable, match="1 of 2 signals were not confirmed"):
        infer(world.session, speaker_of(trained), NEWEST, origin="live", declare=True)
    assert world.runs() == {}


def test_waiting_ends_with_the_bar_with_the_time_or_with_the_process(world: World) -> None:
    instruments = world.session.recipe.market.instruments
    bar = NEWEST + MINUTE.delta
    until = bar + 2 * MINUTE.delta

    def wait() -> list[str]:
        missing = wait_for_bar(
            world.candles, instruments, MINUTE, bar, until=until, clock=world.clock, pause=world.pause
        )
        return [item.pair for item in missing]

    world.stopped = True
    assert wait() == ["BTC/USDT", "ETH/USDT"]
    assert world.clock.now() < until
    world.stopped = False
    world.on_pause.append(lambda now: world.feed(now, after=1, without="BINANCE:ETHUSDT"))
    assert wait() == ["ETH/USDT"]
    assert world.clock.now() >= until


def test_the_newest_bar_is_one_that_has_closed(world: World) -> None:
    instruments = world.session.recipe.market.instruments
    assert newest_bar(world.candles, instruments, MINUTE, world.clock.now()) == NEWEST
    almost = world.clock.now() - timedelta(milliseconds=1)
    assert newest_bar(world.candles, instruments, MINUTE, almost) == NEWEST - MINUTE.delta


def test_nothing_is_learnt_from_a_random_walk() -> None:
    # A leak anywhere between bars and the validation figures would show as skill.
    recipe = make_recipe("nodes.model.rounds=40")
    panel = panel_of(BTC=make_series(4_000, seed=10), ETH=make_series(4_000, seed=100))
    end = panel.index.get_level_values(1).max() + MINUTE.delta
    figures = validation_metrics(build_table(panel, recipe, end.to_pydatetime()), recipe)
    assert (figures["rows_validation"] or 0) > 1_900
    assert figures["auc"] == pytest.approx(0.5, abs=0.035)
    assert figures["rank_ic"] == pytest.approx(0.0, abs=0.06)
