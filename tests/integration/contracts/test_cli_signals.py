"""``quantbus signals`` as people and scripts run it."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.embedded import server_status, start_server, stop_server
from quantbus_contracts.mongo.client import Connection, connect
from quantbus_contracts.mongo.execution_writer import ExecutionWriter
from quantbus_contracts.mongo.layout import initialise
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_contracts.schema import ExecutionState
from quantbus_contracts.testing import make_execution, make_signal
from tests.fixtures.command import QUANTBUS, Run, environment_of

pytestmark = pytest.mark.integration
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
PAIRS = ("BTC/USDT", "ETH/USDT")
HEADER = "symbol,pair,timeframe,ts,action,score\n"
BTC = "BINANCE:BTCUSDT,BTC/USDT,1m,2026-01-05T12:00:00Z,enter_long,0.5\n"
ETH = "BINANCE:ETHUSDT,ETH/USDT,1m,2026-01-05T12:00:00Z,,0.25\n"


@pytest.fixture
def bus(connection: Connection) -> SignalBus:
    return SignalBus(connection, publisher="tester")


def stored(connection: Connection, collection: str = "crypto_signals") -> int:
    return connection.client[connection.names.of(collection)][collection].count_documents({})


class TestPublish:
    def test_a_file_is_published_once_however_often_it_is_sent(
        self, quantbus: Run, tmp_path: Path, connection: Connection
    ) -> None:
        (tmp_path / "signals.csv").write_text(HEADER + BTC + ETH)
        first = quantbus("signals", "publish", "signals.csv", "--strategy-id", "demo", "--json")
        assert (first.code, first.json["inserted"]) == (0, 2), first.err
        again = quantbus("signals", "publish", "signals.csv", "--strategy-id", "demo", "--json")
        assert (again.code, again.json["unchanged"], again.json["inserted"]) == (0, 2, 0)
        (tmp_path / "signals.csv").write_text(HEADER + BTC.replace("0.5", "0.75"))
        revised = quantbus("signals", "publish", "signals.csv", "--strategy-id", "demo")
        assert (revised.code, revised.out.strip()) == (0, "1 revised")
        assert stored(connection) == 2

    def test_bad_rows_are_told_by_line_and_kept_and_take_no_good_row_along(
        self, quantbus: Run, connection: Connection
    ) -> None:
        text = (
            HEADER + BTC + ETH.replace("0.25", "NaN") + ETH.replace("ETH/USDT", "ETHUSDT") + ETH[:-1] + ",x\n"
        )
        done = quantbus("signals", "publish", "-", "--strategy-id", "demo", "--json", stdin=text)
        assert (done.code, done.json["inserted"], done.json["rejected"]) == (1, 1, 3)
        told = [(item["place"], item["field"]) for item in done.json["rejections"]]
        assert told == [("line 3", "score"), ("line 4", "pair"), ("line 5", "")]
        assert "more" in done.json["rejections"][2]["reason"]
        assert (stored(connection), stored(connection, "crypto_signals_rejected")) == (1, 3)

    def test_a_dry_run_says_what_would_happen_and_writes_nothing(
        self, quantbus: Run, connection: Connection, bus: SignalBus
    ) -> None:
        bus.publish([make_signal(strategy_id="demo", action="enter_long", score=0.5)])
        text = HEADER + BTC + ETH
        done = quantbus("signals", "publish", "-", "--strategy-id", "demo", "--dry-run", "--json", stdin=text)
        assert done.json["dry_run"] is True
        assert (done.json["unchanged"], done.json["rejected"]) == (1, 1), "ETH/USDT was never declared"
        assert "strategies declare demo --add-pair ETH/USDT" in done.json["rejections"][0]["reason"]
        assert (done.code, stored(connection), stored(connection, "crypto_signals_rejected")) == (1, 1, 0)

    def test_json_lines_from_a_pipe_with_what_is_common_said_once(self, quantbus: Run) -> None:
        rows = [{"pair": pair, "ts": "2026-01-05T12:00:00Z", "score": 0.5} for pair in PAIRS]
        done = quantbus(
            *("signals", "publish", "-", "--strategy-id", "demo", "--timeframe", "1m", "--venue", "BINANCE"),
            "--json",
            stdin="".join(json.dumps(row) + "\n" for row in rows),
        )
        assert (done.code, done.json["inserted"]) == (0, 2), done.out + done.err

    @pytest.mark.parametrize(
        ("name", "content", "told"),
        [
            ("absent.csv", None, "No such file"),
            ("a.json", '[{"pair": "BTC/U', "expected JSON"),
            ("a.csv", "BTC/USDT,0.5\n", "first line"),
            ("a.parquet", "PAR1", "expected Parquet"),
            ("a.xlsx", "x", "--format"),
        ],
    )
    def test_files_that_cannot_be_read_are_bad_input(
        self, quantbus: Run, tmp_path: Path, connection: Connection, name: str, content: str | None, told: str
    ) -> None:
        if content is not None:
            (tmp_path / name).write_text(content)
        done = quantbus("signals", "publish", name, "--json")
        assert (done.code, done.out) == (2, "")
        assert name in done.err
        assert told in done.err
        assert "Traceback" not in done.err
        assert stored(connection) == 0

    def test_garbage_lines_are_refused_rows(self, quantbus: Run, connection: Connection) -> None:
        good = make_signal(strategy_id="demo").model_dump_json(exclude_none=True).encode()
        lines = [
            good,
            b"\xff\xfe\x00",
            b'{"$where": "1"}',
            b"7",
            b'{"a":' * 3_000,
            b'{"note": "' + b"x" * 2_000_000 + b'"}',
        ]
        done = quantbus("signals", "publish", "-", "--format", "jsonl", "--json", stdin=b"\n".join(lines))
        assert (done.code, done.json["inserted"], done.json["rejected"]) == (1, 1, 5), done.err
        assert (stored(connection), stored(connection, "crypto_signals_rejected")) == (1, 5)

    def test_no_rows_are_no_failure(self, quantbus: Run) -> None:
        done = quantbus("signals", "publish", "-", "--json", stdin="[]")
        assert (done.code, done.json["inserted"], done.json["rejected"]) == (0, 0, 0)

    def test_many_rows_of_many_pairs_go_in_at_once(self, quantbus: Run, connection: Connection) -> None:
        rows = [
            make_signal(
                strategy_id="demo", pair=f"C{number % 50}/USDT", ts=NOON + timedelta(minutes=number // 50)
            )
            for number in range(4_000)
        ]
        text = "".join(row.model_dump_json(exclude_none=True) + "\n" for row in rows)
        done = quantbus("signals", "publish", "-", "--json", stdin=text)
        assert (done.code, done.json["inserted"]) == (0, 4_000), done.err[-500:]
        assert stored(connection) == 4_000


def test_validate_needs_no_bus_and_writes_nothing(quantbus: Run, tmp_path: Path) -> None:
    (tmp_path / "signals.csv").write_text(HEADER + BTC + ETH)
    nowhere = {"QUANTBUS_MONGO_URI": "mongodb://127.0.0.1:9/"}
    good = quantbus("signals", "validate", "signals.csv", "--strategy-id", "demo", "--json", **nowhere)
    assert (good.code, good.json["valid"], good.json["rejected"]) == (0, 2, 0)
    bad = quantbus("signals", "validate", "signals.csv", **nowhere)
    assert bad.code == 1
    assert "2 rejected" in bad.out
    assert "strategy_id" in bad.out


@pytest.mark.parametrize(
    "arguments",
    [
        ("signals", "list"),
        ("signals", "tail"),
        ("signals", "publish", "-"),
    ],
)
def test_a_dead_bus_is_said_at_once(quantbus: Run, arguments: tuple[str, ...]) -> None:
    began = time.monotonic()
    done = quantbus(*arguments, stdin="[]", QUANTBUS_MONGO_URI="mongodb://127.0.0.1:9/?replicaSet=none")
    assert (done.code, done.out) == (1, "")
    assert "quantbus bus status" in done.err
    assert "Traceback" not in done.err
    assert time.monotonic() - began < 30


class TestList:
    @pytest.fixture(autouse=True)
    def _signals(self, bus: SignalBus) -> None:
        for strategy in ("a", "b"):
            bus.publish(
                [
                    make_signal(strategy_id=strategy, pair=pair, ts=NOON + timedelta(minutes=minute))
                    for minute in range(3)
                    for pair in PAIRS
                ]
            )

    def test_the_newest_bar_comes_first_and_filters_narrow(self, quantbus: Run) -> None:
        rows = quantbus("signals", "list", "--json").json
        assert len(rows) == 12
        assert [row["ts"] for row in rows] == sorted((row["ts"] for row in rows), reverse=True)
        one = quantbus(
            *("signals", "list", "--strategy-id", "a", "--pair", "ETH/USDT", "--timeframe", "1m", "--json"),
            *("--since", "2026-01-05T12:01Z", "--until", "2026-01-05T12:02Z"),
        ).json
        assert [(row["strategy_id"], row["pair"], row["ts"]) for row in one] == [
            ("a", "ETH/USDT", "2026-01-05T12:01:00Z")
        ]
        assert len(quantbus("signals", "list", "--limit", "2", "--json").json) == 2
        assert quantbus("signals", "list", "--pair", '{"$ne": 1}', "--json").json == []

    def test_the_past_shows_what_the_bus_showed_then(self, quantbus: Run, bus: SignalBus) -> None:
        before = bus.connection.server_now()
        time.sleep(0.01)
        bus.publish([make_signal(strategy_id="a", action="exit_long"), make_signal(strategy_id="late")])
        then = quantbus("signals", "list", "--as-of", before.isoformat(), "--json").json
        assert len(then) == 12
        assert {(row["action"], row["version"]) for row in then} == {("enter_long", 1)}
        now = quantbus("signals", "list", "--json").json
        assert len(now) == 13
        assert ("exit_long", 2) in {(row["action"], row["version"]) for row in now}

    def test_people_see_one_line_a_signal_with_its_whole_id_on_any_screen(self, quantbus: Run) -> None:
        done = quantbus("signals", "list", "--strategy-id", "a", "--limit", "3", COLUMNS="80")
        assert done.code == 0
        heading, *lines, more = done.out.splitlines()
        assert "--limit" in more
        assert len(lines) == 3
        ids = {row["signal_id"] for row in quantbus("signals", "list", "--strategy-id", "a", "--json").json}
        for line in lines:
            (found,) = ids & set(line.split())
            assert line.index(found) == heading.index("id ")
            assert line.index("enter_long") == heading.index("says")
        assert quantbus("signals", "list", "--strategy-id", "nobody").out.strip() == "no such signals"

    @pytest.mark.parametrize(
        "arguments",
        [("--since", "yesterday"), ("--timeframe", "7m"), ("--as-of", "2026-13-01"), ("--limit", "0")],
    )
    def test_bad_filters_are_bad_input(self, quantbus: Run, arguments: tuple[str, str]) -> None:
        done = quantbus("signals", "list", *arguments)
        assert (done.code, done.out) == (2, "")
        assert arguments[0] in done.err or arguments[1] in done.err


class TestShow:
    def test_the_whole_life_in_one_screen(self, quantbus: Run, bus: SignalBus) -> None:
        row = make_signal(score=0.5, computed_at=NOON + timedelta(seconds=61), note="[bold]news[/bold]")
        bus.publish([row])
        bus.publish([make_signal(score=0.75)])
        executions = [
            make_execution(row, state=ExecutionState.REFUSED, reason="max_delay"),
            make_execution(
                row,
                consumer_id="twin",
                state=ExecutionState.FILLED,
                price=100.5,
                amount=0.25,
                trade_id=7,
                ordered_at=NOON + timedelta(seconds=62),
                filled_at=NOON + timedelta(seconds=63),
            ),
        ]
        ExecutionWriter(bus.connection).record(executions)
        done = quantbus("signals", "show", row.signal_id[:8])
        assert done.code == 0, done.err
        for told in (
            "It was traded.",
            "bot: It did not act: too much time had passed since its bar closed.",
            "twin: It traded: enter long filled at 100.5.",
            "score +0.75",
            "12:01:03",
        ):
            assert told in done.out, told
        life = quantbus("signals", "show", row.signal_id, "--json").json
        assert [item["version"] for item in life["revisions"]] == [1, 2]
        assert [item["content"]["score"] for item in life["revisions"]] == [0.5, 0.75]
        assert [item["consumer_id"] for item in life["ledger"]] == ["bot", "twin"]
        hops = {hop["name"]: hop["seconds"] for hop in life["ledger"][1]["hops"]}
        assert (hops["ordered"], hops["filled"]) == (2.0, 1.0)

    def test_a_signal_that_nobody_saw_says_what_stood_in_the_way(self, quantbus: Run, bus: SignalBus) -> None:
        bus.publish([make_signal()])
        quantbus("controls", "halt", "--scope", "strategy:test", "--reason", "under review")
        done = quantbus("signals", "show", make_signal().signal_id)
        assert "No consumer wrote that it saw it." in done.out
        assert "came too late" in done.out
        assert "under review" in done.out

    @pytest.mark.parametrize(
        ("identity", "code"), [("0123456789abcdef", 1), ("xyz", 2), ("ab", 2), ("$ne", 2)]
    )
    def test_an_unknown_id_is_a_failure_and_a_malformed_one_bad_input(
        self, quantbus: Run, identity: str, code: int
    ) -> None:
        done = quantbus("signals", "show", identity, "--json")
        assert (done.code, done.out) == (code, "")
        assert identity in done.err

    def test_a_beginning_that_several_ids_share_is_refused_with_them(
        self, quantbus: Run, connection: Connection, bus: SignalBus
    ) -> None:
        bus.publish([make_signal()])
        raw = connection.client[connection.names.of("crypto_signals")]["crypto_signals"]
        row = raw.find_one({})
        assert row is not None
        twin = {**row, "_id": row["_id"][:6] + "0" * 26, "ts": NOON + timedelta(minutes=1)}
        raw.insert_one(twin)
        done = quantbus("signals", "show", row["_id"][:6])
        assert done.code == 2
        assert twin["_id"] in done.err
        assert row["_id"] in done.err


class TestExport:
    @pytest.mark.parametrize("form", ["jsonl", "csv", "parquet", "json"])
    def test_what_is_exported_as_given_can_be_published_again(
        self, quantbus: Run, bus: SignalBus, tmp_path: Path, form: str
    ) -> None:
        bus.publish(
            [make_signal(pair=pair, note='a "note",\nof two lines', score=0.1 + 0.2) for pair in PAIRS]
        )
        file = tmp_path / f"out.{form}"
        done = quantbus("signals", "export", "--as-given", "--out", file.name)
        assert (done.code, done.out) == (0, ""), done.err
        again = quantbus("signals", "publish", file.name, "--json")
        assert (again.code, again.json["unchanged"]) == (0, 2), again.out
        assert not list(tmp_path.glob(".*.part"))

    def test_standard_output_takes_json_lines_oldest_first(self, quantbus: Run, bus: SignalBus) -> None:
        bus.publish([make_signal(ts=NOON + timedelta(minutes=minute)) for minute in (2, 0, 1)])
        done = quantbus("signals", "export", "--since", "2026-01-05T12:01Z")
        assert [row["ts"] for row in done.lines] == ["2026-01-05T12:01:00Z", "2026-01-05T12:02:00Z"]
        assert done.lines[0]["version"] == 1

    def test_a_row_that_is_no_signal_is_told_and_left_out(self, quantbus: Run, bus: SignalBus) -> None:
        bus.publish([make_signal()])
        bus.connection.client[bus.connection.names.of("crypto_signals")].command(
            "insert", "crypto_signals", documents=[{"_id": "bad"}], bypassDocumentValidation=True
        )
        done = quantbus("signals", "export")
        assert (done.code, len(done.lines)) == (0, 1)
        assert "'bad'" in done.err


class Tail:
    """A ``quantbus signals tail --json`` under way."""

    def __init__(self, settings: MongoSettings, out: Path, *arguments: str) -> None:
        self.out, self.err = out, out.with_suffix(".err")
        with self.out.open("wb") as out_handle, self.err.open("wb") as err_handle:
            self.process = subprocess.Popen(
                [QUANTBUS, "signals", "tail", "--json", *arguments],
                env=environment_of(settings),
                stdout=out_handle,
                stderr=err_handle,
            )
        self.until(lambda: "following" in self.err.read_text())

    @property
    def rows(self) -> list[Any]:
        return [
            json.loads(line) for line in self.out.read_text().splitlines(keepends=True) if line[-1:] == "\n"
        ]

    def until(self, condition: Any, *, seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.err.read_text()
            assert self.process.poll() is None or condition(), self.err.read_text()
            time.sleep(0.05)

    def interrupt(self) -> int:
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(30)


class TestTail:
    def test_signals_come_as_they_are_published_until_interrupted(
        self, mongo_settings: MongoSettings, bus: SignalBus, tmp_path: Path
    ) -> None:
        bus.publish([make_signal(pair="ETH/USDT"), make_signal(ts=NOON - timedelta(minutes=1))])
        tail = Tail(mongo_settings, tmp_path / "tail.jsonl", "--pair", "BTC/USDT")
        for score in (0.1, 0.2, 0.2, 0.3):
            bus.publish([make_signal(score=score), make_signal(pair="ETH/USDT", score=score)])
        tail.until(lambda: len(tail.rows) >= 3)
        assert tail.interrupt() == 0
        assert [(row["pair"], row["version"], row["score"]) for row in tail.rows] == [
            ("BTC/USDT", 1, 0.1),
            ("BTC/USDT", 2, 0.2),
            ("BTC/USDT", 3, 0.3),
        ]

    def test_a_token_and_a_time_continue_where_one_left_off(self, quantbus: Run, bus: SignalBus) -> None:
        since = bus.connection.server_now().isoformat()
        bus.publish([make_signal(score=0.1)])
        bus.publish([make_signal(score=0.2)])
        first = quantbus("signals", "tail", "--since", since, "--limit", "2", "--json").lines
        assert [row["version"] for row in first] == [1, 2]
        both = quantbus("signals", "tail", "--since", since, "--after", "82")
        assert (both.code, "--after" in both.err) == (2, True)
        wrong = quantbus("signals", "tail", "--after", "82AB")
        assert (wrong.code, "token" in wrong.err) == (1, True)

    @pytest.fixture
    def own(self, tmp_path: Path) -> Iterator[MongoSettings]:
        home = tmp_path / "own"
        start_server(home)
        settings = MongoSettings(home=home)
        with closing(connect(settings, app="prepare", timeout_seconds=60)) as connection:
            initialise(connection)
        yield settings
        stop_server(home)

    @pytest.mark.proof
    def test_a_killed_server_costs_no_signal_and_shows_none_twice(
        self, own: MongoSettings, tmp_path: Path
    ) -> None:
        tail = Tail(own, tmp_path / "tail.jsonl")
        published = 0
        for _ in range(2):
            with closing(connect(own, app="publisher", timeout_seconds=30)) as connection:
                for _ in range(20):
                    row = make_signal(ts=NOON + timedelta(minutes=published // 2), score=published % 2 / 2)
                    assert SignalBus(connection).publish([row]).ok
                    published += 1
            running = server_status(own.home)
            assert running is not None
            os.kill(running.pid, signal.SIGKILL)
            tail.until(lambda: "connection lost" in tail.err.read_text())
            start_server(own.home)
        tail.until(lambda: len(tail.rows) >= published)
        time.sleep(1)
        assert tail.interrupt() == 0
        marks = [(row["ts"], row["version"]) for row in tail.rows]
        assert len(marks) == len(set(marks)) == published
        assert "connected again" in tail.err.read_text()

    def test_a_server_that_stays_away_is_given_up_with_the_way_to_continue(
        self, own: MongoSettings, tmp_path: Path
    ) -> None:
        tail = Tail(own, tmp_path / "tail.jsonl", "--patience", "2s")
        stop_server(own.home)
        assert tail.process.wait(60) == 1
        assert "--after 82" in tail.err.read_text()
        assert "Traceback" not in tail.err.read_text()
