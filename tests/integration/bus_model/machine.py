"""A state machine that does to a real bus whatever can be done to it and compares it with the model after each step."""

import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from pymongo import MongoClient
from pymongo.monitoring import CommandListener

from quantbus_contracts import SignalBus
from quantbus_contracts.bus.audit import verify
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.mongo.signal_reader import SignalReader
from quantbus_contracts.policy import TradingRules, entry_interval
from quantbus_contracts.schema import PublishedSignal, PublishReport, Revision, Signal, Strategy
from quantbus_contracts.testing import make_signal
from quantbus_contracts.timeframe import Timeframe
from tests.integration.bus_model.model import (
    OUTCOMES,
    BusModel,
    Key,
    Rival,
    Said,
    entry_bounds,
    key_of,
    orders,
)

HOUR = Timeframe.parse("1h")
START = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PAIRS = ("BTC/USDT", "ETH/USDT")
BARS = 3
MILLISECOND = timedelta(milliseconds=1)

numbers = st.sampled_from([-1.0, -0.5, -0.0, 0.0, 0.25, 1.0])
contents = st.fixed_dictionaries(
    {},
    optional={
        "action": st.sampled_from(["enter_long", "exit_long"]),
        "weight": numbers,
        "score": numbers,
        "bars": st.integers(2, 6),
        "stop_price": st.sampled_from([1.0, 2.5]),
        "degraded": st.just("gap"),
        "origin": st.sampled_from(["live", "backfill"]),
        "note": st.sampled_from(["a", "$b", "$$NOW"]),
    },
).filter(lambda given: bool({"action", "weight", "score"} & given.keys()))
keys = st.tuples(st.sampled_from(PAIRS), st.integers(0, BARS - 1))
rows = st.tuples(keys, contents)
batches = st.lists(rows, min_size=1, max_size=5)
distinct_batches = st.lists(rows, min_size=1, max_size=5, unique_by=lambda row: row[0])
expectations = st.dictionaries(keys, st.integers(0, 4), max_size=3)
bad_fields = st.sampled_from(
    [
        {"score": float("nan")},
        {"score": 1.5},
        {"score": "0.5x"},
        {"pair": "BTCUSDT"},
        {"symbol": "BINANCE:XRPUSDT"},
        {"ts": START + timedelta(minutes=7)},
        {"ts": "yesterday"},
        {"timeframe": "7h"},
        {"strategy_id": "a b"},
        {"strategy_id": {"$ne": ""}},
        {"surprise": 1},
        {"action": "buy"},
        {"valid_until": START - timedelta(days=1)},
        {"action": None},
        {"stop_price": -1.0},
        {
            "pair": "XRP/USDT",
            "symbol": "BINANCE:XRPUSDT",
        },  # from here on: what the declaration does not allow
        {"pair": "BTC/USDT", "symbol": "OKX:BTCUSDT"},
        {"timeframe": "30m"},
    ]
)


def counted_together(
    outcomes_of_keys: Iterable[dict[str, str]], publishers: Iterable[str]
) -> dict[str, dict[str, int]]:
    """Return how many keys came to which outcome, by publisher."""
    counts = {name: dict.fromkeys(OUTCOMES, 0) for name in publishers}
    for outcomes in outcomes_of_keys:
        for name, outcome in outcomes.items():
            counts[name][outcome] += 1
    return counts


class Interruption(CommandListener):
    """Lets something happen just before a chosen command of another client; in its thread, so always the same."""

    EARLY = ("find", "aggregate")

    def __init__(self) -> None:
        self._left = 0
        self._action: Callable[[], None] | None = None
        self.fired = 0

    def plan(self, after_commands: int, action: Callable[[], None]) -> None:
        self._left, self._action = after_commands, action

    def fire(self) -> bool:
        """Do what was planned unless it is done; return whether it was not."""
        action, self._action = self._action, None
        if action is not None:
            action()
        return action is not None

    def started(self, event: Any) -> None:
        """Before a read, or the first write of a transaction: later the rival could only wait for its end."""
        free = event.command.get("startTransaction") or not event.command.get("txnNumber")
        writes = event.command_name in ("insert", "update", "bulkWrite")
        if self._action is None or not (event.command_name in self.EARLY or writes):
            return
        if "autocommit" in event.command and not free:
            return
        if self._left == 0:
            self.fired += 1
            self.fire()
        else:
            self._left -= 1

    def succeeded(self, event: Any) -> None:
        """Nothing to do."""

    def failed(self, event: Any) -> None:
        """Nothing to do."""


@dataclass
class Rig:
    """What all examples of one run share: connections are dear, strategies are cheap."""

    connection: Connection
    interrupted: Connection
    interruption: Interruption
    steps: Counter[str]

    @classmethod
    def build(cls, connection: Connection) -> "Rig":
        interruption = Interruption()
        assert connection.settings.mongo_uri is not None
        client: MongoClient[dict[str, Any]] = MongoClient(
            connection.settings.mongo_uri.get_secret_value(),
            tz_aware=True,
            tzinfo=UTC,
            event_listeners=[interruption],
        )
        return cls(connection, Connection(client, connection.settings, 20.0), interruption, Counter())


class BusMachine(RuleBasedStateMachine):
    """Two publishers and a reader of one strategy; the model is told only what they send."""

    def __init__(self, rig: Rig) -> None:
        super().__init__()
        self.rig = rig
        self.strategy_id = uuid.uuid4().hex
        self.model = BusModel()
        self.available: dict[Key, list[datetime]] = {}
        self.rejected = 0
        self.bus = {
            "one": SignalBus(rig.connection, publisher=f"one-{self.strategy_id}"),
            "two": SignalBus(rig.connection, publisher=f"two-{self.strategy_id}"),
            "interrupted": SignalBus(rig.interrupted, publisher=f"interrupted-{self.strategy_id}"),
        }
        self.reader = SignalReader(rig.connection)
        self.bus["one"].declare(
            Strategy(strategy_id=self.strategy_id, venue="BINANCE", timeframe="1h", pairs=PAIRS)
        )

    # What is sent

    def signal(self, key: tuple[str, int], given: dict[str, Any]) -> Signal:
        ts = START + key[1] * HOUR.delta
        fields = {name: value for name, value in given.items() if name != "bars"}
        if "bars" in given:
            fields["valid_until"] = ts + given["bars"] * HOUR.delta
        return make_signal(
            **{"action": None, **fields}, strategy_id=self.strategy_id, pair=key[0], timeframe="1h", ts=ts
        )

    def signals(self, batch: list[Any]) -> list[Signal]:
        return [self.signal(key, given) for key, given in batch]

    def expected(self, given: dict[tuple[str, int], int]) -> dict[str, int]:
        return {self.signal(key, {"score": 0.0}).signal_id: version for key, version in given.items()}

    def counted(self, name: str) -> None:
        self.rig.steps[name] += 1

    # Steps

    @rule(batch=batches, publisher=st.sampled_from(["one", "two"]))
    def publish(self, batch: list[Any], publisher: str) -> None:
        """A key may stand twice in a batch: it is published twice, in order."""
        self.counted("publish")
        self.publish_and_compare(self.signals(batch), publisher, {})

    @rule(batch=batches, expected=expectations)
    def publish_with_expectations(self, batch: list[Any], expected: dict[Any, int]) -> None:
        self.counted("stale")
        self.publish_and_compare(self.signals(batch), "one", self.expected(expected))

    @precondition(lambda self: self.model.revisions)
    @rule(publisher=st.sampled_from(["one", "two"]))
    def publish_all_again(self, publisher: str) -> None:
        self.counted("replay")
        newest = [said[-1].signal for said in self.model.revisions.values() if said]
        report = self.publish_and_compare(newest, publisher, {})
        assert report.unchanged == len(newest)

    @rule(batch=batches, bad=st.lists(st.tuples(rows, bad_fields), min_size=1, max_size=3))
    def publish_with_bad_rows(self, batch: list[Any], bad: list[Any]) -> None:
        self.counted("rejected")
        good = self.signals(batch)
        refused = [
            self.signal(*row).model_dump(exclude_none=True)
            | ({"action": None, "weight": None, "score": None} if field == {"action": None} else field)
            for row, field in bad
        ]
        before = self.server_now()
        report = self.bus["one"].publish([*refused, *good])
        counts = self.model.publish(good, "one", {})
        assert report.rejected == len(refused), report
        assert [item.row for item in report.rejections] == list(range(len(refused)))
        self.rejected += len(refused)
        assert self.counts(report) == counts
        self.compare({key_of(signal) for signal in good}, before)

    @rule(
        ours=distinct_batches,
        theirs=distinct_batches,
        expected=expectations,
        their_expected=expectations,
        commands=st.integers(0, 3),
    )
    def race(
        self, ours: list[Any], theirs: list[Any], expected: Any, their_expected: Any, commands: int
    ) -> None:
        """The whole of another publish happens between two commands of ours."""
        self.counted("race")
        self.run_race(
            (self.signals(ours), self.expected(expected)),
            (self.signals(theirs), self.expected(their_expected)),
            commands,
        )

    @rule(key=keys, ours=contents, theirs=contents, commands=st.integers(0, 2), careful=st.booleans())
    def race_for_one_key(self, key: Any, ours: Any, theirs: Any, commands: int, careful: bool) -> None:
        """Both publish the same key; a careful publisher expects the version that it saw before."""
        self.counted("race")
        mine, other = self.signal(key, ours), self.signal(key, theirs)
        seen = {mine.signal_id: self.model.version(key_of(mine))} if careful else {}
        self.run_race(([mine], seen), ([other], {}), commands)

    def run_race(
        self,
        ours: tuple[list[Signal], dict[str, int]],
        theirs: tuple[list[Signal], dict[str, int]],
        commands: int,
    ) -> None:
        (mine, expected), (others, their_expected) = ours, theirs
        before = self.server_now()
        reports: dict[str, PublishReport] = {}

        def intrude() -> None:
            reports["two"] = self.bus["two"].publish(others, expected_versions=their_expected)

        self.rig.interruption.plan(commands, intrude)
        reports["interrupted"] = self.bus["interrupted"].publish(mine, expected_versions=expected)
        self.rig.steps["race_met"] += not self.rig.interruption.fire()
        by_key = {key_of(signal): signal for signal in mine}
        their_by_key = {key_of(signal): signal for signal in others}
        possible = []
        for key in by_key.keys() | their_by_key.keys():
            ends = orders(
                self.model.revisions.get(key, []),
                Rival("interrupted", by_key.get(key), expected),
                Rival("two", their_by_key.get(key), their_expected),
            )
            possible.append(self.take_over(key, list(ends)))
        told = {name: self.counts(report) for name, report in reports.items()}
        assert any(counted_together(chosen, reports) == told for chosen in product(*possible)), (
            f"told {told}; what stands gives, by key, one of {possible}"
        )
        self.compare(by_key.keys() | their_by_key.keys(), before)

    def take_over(self, key: Key, ends: list[Any]) -> list[dict[str, str]]:
        """Find which of the possible orders happened on a key, and make it the model's.

        Return what it may have told each publisher: both orders may leave the same behind and tell different things.
        """
        found = self.found(key)
        possible = []
        for standing, outcomes in ends:
            if (found is not None and self.told(found) == self.as_told(standing)) or not (found or standing):
                self.model.revisions[key] = standing
                possible.append(outcomes)
        assert possible, f"{key}: found {found}, which no order of the two gives: {ends}"
        return possible

    @rule(pair=st.sampled_from(PAIRS), since=st.integers(-1, BARS), until=st.integers(-1, BARS))
    def read_newest(self, pair: str, since: int, until: int) -> None:
        self.counted("newest")
        low, high = START + since * HOUR.delta, START + until * HOUR.delta
        found = self.reader.newest(self.strategy_id, HOUR, [pair, "XRP/USDT"], since=low, until=high)
        standing = [key for key, said in self.model.revisions.items() if said and key[0] == pair]
        inside = sorted(ts for _, ts in standing if low <= ts <= high)
        assert {name: item.signal.ts for name, item in found.signals.items()} == (
            {pair: inside[-1]} if inside else {}
        )
        if inside:
            newest = found.signals[pair]
            said = self.model.revisions[pair, inside[-1]]
            assert (newest.signal, newest.version) == (said[-1].signal, len(said))

    @precondition(lambda self: any(self.available.values()))
    @rule(data=st.data(), shift=st.sampled_from([-1, 0, 1]))
    def read_as_of(self, data: Any, shift: int) -> None:
        """At any time the bus shows what stood then: no revision early, none late."""
        self.counted("as_of")
        moments = sorted({moment for times in self.available.values() for moment in times})
        moment = data.draw(st.sampled_from(moments)) + shift * MILLISECOND
        for key, said in self.model.revisions.items():
            if not said:
                continue
            found = self.found(key)
            assert found is not None
            then = found.as_of(moment)
            count = sum(available <= moment for available in self.available[key])
            assert (then is None) == (count == 0)
            if then is not None:
                assert self.told(then) == self.as_told(said[:count])

    @precondition(lambda self: any(self.available.values()))
    @rule(data=st.data(), shift=st.sampled_from([-1, 0, 1]))
    def expire(self, data: Any, shift: int) -> None:
        """An entry lives in exactly the interval of the contract, whatever was revised in between."""
        self.counted("expire")
        key = data.draw(st.sampled_from([key for key, times in self.available.items() if times]))
        found = self.found(key)
        assert found is not None
        start, end = entry_bounds(self.model.revisions[key][-1].signal, found.available_at, HOUR.delta)
        interval = entry_interval(found, TradingRules())
        assert (interval.start, interval.end) == (start, end)
        for moment in (start + shift * MILLISECOND, end + shift * MILLISECOND):
            assert (moment in interval) == (start <= moment < end)

    def teardown(self) -> None:
        """Compare all there is once more: no key but ours, no refused row unkept."""
        found = [
            item
            for pair in PAIRS
            for item in self.reader.range(self.strategy_id, HOUR, pair, START, START + BARS * HOUR.delta)
        ]
        assert {key_of(item.signal) for item in found} == {
            key for key, said in self.model.revisions.items() if said
        }
        report = verify(self.rig.connection, self.strategy_id)
        assert report.ok, report
        kept = self.rig.connection.client[self.rig.connection.settings.signals_db]["crypto_signals_rejected"]
        count = kept.count_documents({"published_by": self.bus["one"].publisher})
        assert count == self.rejected, f"refused {self.rejected} rows, kept {count}"

    # Comparing

    def server_now(self) -> datetime:
        return self.rig.connection.server_now()

    @staticmethod
    def counts(report: PublishReport) -> dict[str, int]:
        assert report.unknown == 0
        return {name: getattr(report, name) for name in OUTCOMES}

    def publish_and_compare(
        self, signals: list[Signal], publisher: str, expected: dict[str, int]
    ) -> PublishReport:
        before = self.server_now()
        report = self.bus[publisher].publish(signals, expected_versions=expected)
        assert report.rejected == 0, report
        assert self.counts(report) == self.model.publish(signals, publisher, expected)
        self.compare({key_of(signal) for signal in signals}, before)
        return report

    def found(self, key: Key) -> PublishedSignal | None:
        return self.reader.get(
            make_signal(strategy_id=self.strategy_id, pair=key[0], timeframe="1h", ts=key[1]).signal_id
        )

    @staticmethod
    def told(found: PublishedSignal) -> list[tuple[Signal, str]]:
        every: list[Revision | PublishedSignal] = [*found.history, found]
        return [(item.signal, item.published_by) for item in every]

    def as_told(self, said: list[Said]) -> list[tuple[Signal, str]]:
        return [(item.signal, self.bus[item.publisher].publisher) for item in said]

    def compare(self, touched: set[Key], before: datetime) -> None:
        """Compare every touched key with the model: each revision, its publisher, its end, its time."""
        now = self.server_now()
        for key in touched:
            said, found = self.model.revisions.get(key, []), self.found(key)
            assert (found is None) == (not said)
            if found is None:
                continue
            every: list[Revision | PublishedSignal] = [*found.history, found]
            assert self.told(found) == self.as_told(said)
            assert [item.version for item in every] == list(range(1, len(said) + 1))
            for item in every:
                assert item.valid_until == (item.signal.valid_until or item.signal.ts + 3 * HOUR.delta)
            times = [item.available_at for item in every]
            known = self.available.get(key, [])
            assert times == sorted(times)
            assert times[: len(known)] == known, "what is past stays as it was"
            assert all(before <= moment <= now for moment in times[len(known) :])
            self.available[key] = times
