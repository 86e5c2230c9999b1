"""``quantbus controls``, ``strategies`` and ``audit`` as operators run them."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from quantbus_contracts.bus import SignalBus
from quantbus_contracts.mongo.client import Connection
from quantbus_contracts.schema import PublishRun
from quantbus_contracts.testing import make_signal
from tests.fixtures.command import Run

pytestmark = pytest.mark.integration
NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)


@pytest.fixture
def bus(connection: Connection) -> SignalBus:
    return SignalBus(connection, publisher="tester")


class TestControls:
    def test_a_halt_stands_for_its_time_and_is_lifted_by_its_source_alone(
        self, quantbus: Run, connection: Connection
    ) -> None:
        halt = ("controls", "halt", "--scope", "strategy:demo", "--reason", "model under review")
        now = connection.server_now()
        told = quantbus(*halt, "--for", "2h", "--json").json
        assert (told["kind"], told["source"], told["reason"]) == ("halt", "operator", "model under review")
        until = datetime.fromisoformat(told["expires_at"])
        assert timedelta(hours=2) <= until - now < timedelta(hours=2, minutes=2), "by the database's clock"

        other = ("--scope", "strategy:demo", "--source", "monitor")
        assert quantbus("controls", "block", *other, "--reason", "late").code == 0
        lifted = quantbus("controls", "resume", "--scope", "strategy:demo", "--json")
        assert (lifted.code, lifted.json["lifted"]) == (0, True)
        assert [(item["source"], item["kind"]) for item in lifted.json["left"]] == [("monitor", "block")]
        again = quantbus("controls", "resume", "--scope", "strategy:demo")
        assert (again.code, "nothing by operator" in again.out, "monitor" in again.out) == (1, True, True)

        every = quantbus("controls", "list", "--all", "--json").json
        assert [(item["source"], item["in_force"]) for item in every] == [
            ("monitor", True),
            ("operator", False),
        ]
        assert "lifted_by" in every[1]

    def test_the_list_begins_with_the_most_restrictive(self, quantbus: Run) -> None:
        assert quantbus("controls", "list").out.strip() == "no controls are in force"
        for kind, scope in (("block", "all"), ("flatten", "pair:BTC/USDT"), ("halt", "consumer:bot")):
            done = quantbus("controls", kind, "--scope", scope, "--reason", "[red]markup[/red] stays text")
            assert done.code == 0, done.err
        table = quantbus("controls", "list").out
        assert table.index("flatten") < table.index("halt") < table.index("block")
        assert "[red]markup[/red] stays text" in table
        assert "it is lifted" in table, "lifted alone would read as though it were"

    @pytest.mark.parametrize(
        "arguments",
        [
            ("--scope", "venue:BINANCE", "--reason", "x"),
            ("--scope", "pair:BTCUSDT", "--reason", "x"),
            ("--scope", "all", "--reason", " "),
            ("--scope", "all", "--reason", "x", "--for", "soon"),
            ("--scope", "all", "--reason", "x", "--source", "$ne me"),
            ("--scope", "all"),
        ],
    )
    def test_what_makes_no_sense_is_bad_input_and_sets_nothing(
        self, quantbus: Run, connection: Connection, arguments: tuple[str, ...]
    ) -> None:
        done = quantbus("controls", "halt", *arguments, "--json")
        assert (done.code, done.out) == (2, "")
        assert "Traceback" not in done.err
        assert connection.client[connection.names.of("controls")]["controls"].count_documents({}) == 0


class TestStrategies:
    def test_a_declaration_by_options_is_changed_by_what_is_named(self, quantbus: Run) -> None:
        assert quantbus("strategies", "list").out.strip() == "no strategy is declared"
        first = quantbus(
            *("strategies", "declare", "demo", "--venue", "BINANCE", "--timeframe", "1h", "--json"),
            *("--pairs", "BTC/USDT, ETH/USDT", "--max-delay", "2m"),
        ).json
        assert (first["version"], first["strategy"]["pairs"]) == (1, ["BTC/USDT", "ETH/USDT"])
        more = quantbus("strategies", "declare", "demo", "--add-pair", "SOL/USDT", "--json").json
        assert more["version"] == 2
        assert more["strategy"]["pairs"] == ["BTC/USDT", "ETH/USDT", "SOL/USDT"]
        assert more["strategy"]["max_delay_seconds"] == 120
        same = quantbus("strategies", "declare", "demo", "--add-pair", "SOL/USDT")
        assert "stands as declared: version 2" in same.out
        assert [row["strategy_id"] for row in quantbus("strategies", "list", "--json").json] == ["demo"]

    @pytest.mark.parametrize("suffix", ["toml", "json"])
    def test_a_file_holds_the_whole_declaration(self, quantbus: Run, tmp_path: Path, suffix: str) -> None:
        fields = {"strategy_id": "demo", "venue": "BINANCE", "timeframe": "1h", "pairs": ["BTC/USDT"]}
        as_toml = "\n".join(f"{name} = {json.dumps(value)}" for name, value in fields.items())
        (tmp_path / f"demo.{suffix}").write_text(as_toml if suffix == "toml" else json.dumps(fields))
        assert quantbus("strategies", "declare", f"demo.{suffix}").out.strip() == "declared demo: version 1"
        both = quantbus("strategies", "declare", f"demo.{suffix}", "--venue", "OKX")
        assert (both.code, "both" in both.err) == (2, True)

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            (None, "No such file"),
            ("strategy_id = ", "expected TOML"),
            ('strategy_id = "demo"', "venue"),
            ('strategy_id = "demo"\nleverage = 3', "leverage"),
            ('strategy_id = "a b"\nvenue = "BINANCE"\ntimeframe = "7m"\npairs = []', "timeframe"),
        ],
    )
    def test_a_wrong_file_is_bad_input_that_names_the_fault(
        self, quantbus: Run, tmp_path: Path, content: str | None, told: str
    ) -> None:
        if content is not None:
            (tmp_path / "demo.toml").write_text(content)
        done = quantbus("strategies", "declare", "demo.toml")
        assert (done.code, done.out) == (2, "")
        assert told in done.err
        assert "Traceback" not in done.err

    def test_a_new_strategy_says_what_is_still_needed(self, quantbus: Run) -> None:
        done = quantbus("strategies", "declare", "demo", "--venue", "BINANCE")
        assert done.code == 2
        assert "--timeframe 1h, --pairs" in done.err

    def test_showing_one_tells_what_it_promised_and_said_last(self, quantbus: Run, bus: SignalBus) -> None:
        assert quantbus("strategies", "show", "test").code == 1
        bus.publish([make_signal(), make_signal(ts=NOON + timedelta(minutes=1), action="exit_long")])
        bus.record_run(
            PublishRun(
                strategy_id="test", timeframe="1m", ts=NOON, evaluated_at=NOON, pairs_evaluated=1, signals=1
            )
        )
        shown = quantbus("strategies", "show", "test")
        assert "exit_long" in shown.out
        assert "last evaluated for the bar of 2026-01-05 12:00" in shown.out
        told = quantbus("strategies", "show", "test", "--json").json
        assert (told["strategy"]["venue"], told["last_run"]["signals"]) == ("BINANCE", 1)
        assert [row["action"] for row in told["newest"]] == ["exit_long"]


class TestAudit:
    def test_what_was_altered_behind_our_back_is_found(
        self, quantbus: Run, bus: SignalBus, connection: Connection
    ) -> None:
        bus.publish([make_signal(ts=NOON + timedelta(minutes=minute)) for minute in range(3)])
        bus.publish([make_signal(strategy_id="other")])
        clean = quantbus("audit", "verify", "--json")
        assert (clean.code, clean.json["ok"], sorted(clean.json["heads"])) == (0, True, ["other", "test"])

        raw = connection.client[connection.names.of("crypto_signals")]["crypto_signals"]
        raw.update_one({"_id": make_signal().signal_id}, {"$set": {"action": "exit_long"}})
        found = quantbus("audit", "verify", "--json")
        assert (found.code, found.json["ok"]) == (1, False)
        assert make_signal().signal_id in json.dumps(found.json["findings"])
        assert quantbus("audit", "verify", "--strategy-id", "other").code == 0
        people = quantbus("audit", "verify")
        assert (people.code, make_signal().signal_id in people.out) == (1, True)

    def test_a_range_is_exported_oldest_first_and_whole(
        self, quantbus: Run, bus: SignalBus, tmp_path: Path
    ) -> None:
        bus.publish([make_signal()])
        middle = bus.connection.server_now()
        bus.publish([make_signal(score=0.5)])
        done = quantbus("audit", "export", "--out", "audit.jsonl")
        assert (done.code, done.out) == (0, ""), done.err
        rows = [json.loads(line) for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
        assert [row["seq"] for row in rows] == list(range(1, len(rows) + 1))
        assert rows[-1]["published_by"] == "tester"
        later = quantbus("audit", "export", "--from", middle.isoformat()).lines
        assert [row["seq"] for row in later] == [rows[-1]["seq"]]
        backwards = quantbus("audit", "export", "--from", "2026-01-02", "--to", "2026-01-01")
        assert (backwards.code, "--to" in backwards.err) == (2, True)
