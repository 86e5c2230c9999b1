"""What promtool thinks of the configuration, the rules and our metrics."""

import subprocess
from datetime import UTC, datetime
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest

from quantbus_contracts.runtime.metrics import new_registry
from quantbus_contracts.schema import Disagreement, DisagreementKind
from quantbus_contracts.symbols import Instrument
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.ingestion.gaps.metrics import GapMetrics
from quantbus_services.ingestion.series import Series
from quantbus_services.monitor.metrics import BotMetrics, ChainMetrics, LoopMetrics
from quantbus_services.monitor.reconciliation.kinds import MISMATCH_KINDS

FOLDER = Path("deploy/prometheus")


def exported() -> bytes:
    """Return the text that monitor and ingestion serve once every metric has a value."""
    registry = new_registry("monitor", "0.1.0")
    loop, chain, bot = LoopMetrics(registry), ChainMetrics(registry), BotMetrics(registry)
    for gauge in (chain.candle_last, chain.candle_due):
        gauge.labels("BINANCE:BTCUSDT", "1m").set(1.0)
    for gauge in (chain.run_last, chain.run_due, chain.signal_last):
        gauge.labels("demo").set(1.0)
    chain.heartbeat.labels("ingestion", "main").set(1.0)
    loop.clock_offset.labels("bus").set(0.001)
    loop.findings.labels("candle_stale").set(0)
    loop.check_failures.labels("candle_stale").inc()
    chain.publish_delay.labels("demo").observe(1.0)
    chain.consume_delay.labels("bot").observe(1.0)
    chain.refused.labels("bot", "stale").inc()
    for kind in MISMATCH_KINDS:
        bot.mismatches.labels(kind).set(0)
    return generate_latest(registry) + generate_latest(exported_by_ingestion())


def exported_by_ingestion() -> CollectorRegistry:
    """Return what live ingestion serves about gaps and second sources."""
    registry = CollectorRegistry()
    metrics = GapMetrics(registry)
    series = Series(Instrument.from_pair("BINANCE", "BTC/USDT"), Timeframe.parse("1m"))
    metrics.standing(series, [])
    metrics.stood_in(series, 1)
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    metrics.disagreed(
        Disagreement(
            symbol=series.instrument.symbol,
            timeframe="1m",
            open_time=moment,
            kind=DisagreementKind.CLOSE,
            source="binance",
            other_source="fallback:OKX:BTCUSDT",
            close=1.0,
            other_close=2.0,
            volume=1.0,
            other_volume=1.0,
            seen_at=moment,
        )
    )
    return registry


def run(command: list[str], *, given: bytes | None = None) -> str:
    done = subprocess.run(command, input=given, capture_output=True, timeout=60, check=False)
    told = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, told
    return told


def test_promtool_accepts_the_configuration_and_its_rules(promtool: str, root: Path) -> None:
    for name in ("prometheus.yml", "prometheus.local.yml"):
        assert "rules found" in run([promtool, "check", "config", str(root / FOLDER / name)])


def test_promtool_finds_nothing_to_complain_about_in_the_rules(promtool: str, root: Path) -> None:
    for file in sorted((root / FOLDER / "rules").glob("*.yml")):
        run([promtool, "check", "rules", "--lint=all", "--lint-fatal", str(file)])


def test_promtool_finds_nothing_to_complain_about_in_our_metrics(promtool: str) -> None:
    assert run([promtool, "check", "metrics"], given=exported()) == ""
