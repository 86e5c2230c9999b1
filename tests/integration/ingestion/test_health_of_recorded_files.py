"""The health report finds in real, recorded files exactly the defects that they are known to have."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.ingestion.gaps.main import GapQuery, run_gaps
from quantbus_services.ingestion.health.main import HealthQuery, examine_bus, examine_files
from quantbus_services.ingestion.health.measure import Measures
from quantbus_services.ingestion.settings import IngestionSettings
from quantbus_services.ingestion.transfer.identify import Overrides
from quantbus_services.ingestion.transfer.import_main import run_import

pytestmark = pytest.mark.integration


@dataclass(frozen=True)
class Defects:
    """What a file is known to have; nothing of what is not named."""

    gaps: int = 0
    missing: int = 0
    longest_gap: int = 0
    zero_volume: int = 0
    out_of_order: int = 0
    nonpositive: int = 0
    duplicates: int = 0
    misaligned: int = 0
    ohlc: int = 0
    not_numbers: int = 0
    unreadable: int = 0


OUTAGES = {"gaps": 28, "missing": 128, "longest_gap": 33}
KNOWN = {
    "BINANCEUS_BTCUSDT_1m": Defects(zero_volume=658),
    "BINANCEUS_BTCUSD_1m": Defects(zero_volume=72),
    "BINANCE_ATOMUSDT_1d": Defects(1, 1, 1),
    "BINANCE_BTCUSDT_1h": Defects(**OUTAGES, zero_volume=4),
    "BINANCE_BTCUSDT_1m__2021Q1": Defects(4, 603, 284, zero_volume=81),
    "BINANCE_ETHUSDT_1h": Defects(**OUTAGES, zero_volume=6),
    "BINANCE_KITEUSDT_1m": Defects(zero_volume=3301),
    "BINANCE_XAUUSDT_1m_PERP": Defects(zero_volume=9303),
    "COINBASE_BTCUSD_1h": Defects(zero_volume=28, out_of_order=5),
    "COINMARKETCAP_AAVEUSD_1d": Defects(zero_volume=1),
    "COINMARKETCAP_BTCUSD_1d": Defects(zero_volume=242),
    "COINMARKETCAP_DOGEUSD_1d": Defects(zero_volume=11),
    "COINMARKETCAP_LTCUSD_1d": Defects(zero_volume=242),
    "COINMARKETCAP_USDTUSD_1d": Defects(2, 5, 3),
    "COINMARKETCAP_XRPUSD_1d": Defects(zero_volume=144, out_of_order=2892),
    "KRAKEN_BTCUSDC_1m": Defects(26746, 72883, 87),
    "OKX_BTCUSDT_1h_PERP": Defects(zero_volume=9),
    "OKX_ETHUSDT_1h_PERP": Defects(zero_volume=10),
    "YAHOO_AAVEUSD_1d": Defects(zero_volume=4, nonpositive=1),
    "YAHOO_AVAXUSD_1d": Defects(1, 69, 69),
    "YAHOO_BGBUSD_1d": Defects(zero_volume=120),
    "YAHOO_HYPEUSD_1d": Defects(zero_volume=289),
    "YAHOO_SUIUSD_1d": Defects(zero_volume=78, nonpositive=1),
    "YAHOO_TONUSD_1d": Defects(zero_volume=83),
    "YAHOO_UNIUSD_1d": Defects(zero_volume=71),
}
SMALL = (
    "BINANCE_ATOMUSDT_1d",
    "COINMARKETCAP_XRPUSD_1d",
    "OKX_ETHUSDT_1h_PERP",
    "YAHOO_AVAXUSD_1d",
    "YAHOO_SUIUSD_1d",
)

AMBIGUOUS = ("COINMARKETCAP_USDTUSD_1d", "YAHOO_BGBUSD_1d")
"""No list of markets says whether that is USDT/USD or USD/TUSD, BGB/USD or BG/BUSD."""
OPENING = ("YAHOO_AAVEUSD_1d",)
"""Its impossible row is its first, so that refusing it leaves no hole."""
LONG = (
    *("BINANCE_BTCUSDT_1m__2021Q1", "BINANCE_KITEUSDT_1m", "BINANCEUS_BTCUSDT_1m", "BINANCEUS_BTCUSD_1m"),
    *("BINANCE_BTCUSDT_1h", "BINANCE_ETHUSDT_1h", "OKX_BTCUSDT_1h_PERP", "OKX_ETHUSDT_1h_PERP"),
)
"""Judged as files; on the bus they would only take longer."""


def found_in(measures: Measures) -> Defects:
    return Defects(
        gaps=len(measures.gaps),
        missing=measures.missing,
        longest_gap=max((gap.bars for gap in measures.gaps), default=0),
        zero_volume=measures.zero_volume,
        out_of_order=measures.out_of_order,
        nonpositive=measures.nonpositive,
        duplicates=measures.duplicates,
        misaligned=measures.misaligned,
        ohlc=measures.ohlc,
        not_numbers=measures.not_numbers,
        unreadable=measures.unreadable,
    )


def told_by(readme: Path) -> dict[str, Defects]:
    """Read the defects that the description of the files lists."""
    told = {}
    text = readme.read_text(encoding="utf-8").partition("## Mark price")[0]
    for name, line in re.findall(r"^\| `(\w+)\.parquet` (\|.*)$", text, re.MULTILINE):
        gaps = re.search(r"(\d+) gaps, (\d+) candles missing \(longest (\d+)\)", line)
        number, missing, longest = (int(part) for part in gaps.groups()) if gaps else (0, 0, 0)

        def count(what: str, line: str = line) -> int:
            match = re.search(rf"(\d+) {what}", line)
            return int(match[1]) if match else 0

        defects = Defects(
            number,
            missing,
            longest,
            zero_volume=count("zero-volume"),
            out_of_order=count("backward steps"),
            nonpositive=count("zero/negative prices"),
        )
        if defects != Defects():
            told[name] = defects
    return told


def test_what_is_expected_here_is_what_the_files_description_says(shared_data: Path) -> None:
    assert told_by(shared_data / "README.md") == KNOWN


def check(files: list[Path]) -> None:
    examined = examine_files(files, HealthQuery(), IngestionSettings(), on_progress=lambda *_: None)
    found = {path.stem: found_in(item.health.measures) for path, item in zip(files, examined, strict=True)}
    wrong = {name: defects for name, defects in found.items() if defects != Defects()}
    assert wrong == {name: defects for name, defects in KNOWN.items() if name in found}


def test_recorded_files_have_the_known_defects_and_no_other(shared_data: Path) -> None:
    files = sorted((shared_data / "ohlcv").rglob("*.parquet"))
    check([path for number, path in enumerate(files) if path.stem in KNOWN or number % 10 == 0])


@pytest.mark.proof
def test_every_recorded_file_has_the_known_defects_and_no_other(shared_data: Path) -> None:
    files = sorted((shared_data / "ohlcv").rglob("*.parquet"))
    assert len(files) > 800
    check(files)


def imported(names: tuple[str, ...], shared_data: Path, mongo: MongoSettings) -> None:
    files = [next((shared_data / "ohlcv").rglob(f"{name}.parquet")) for name in names]
    reports = run_import(
        files, Overrides(), IngestionSettings(), mongo, by_hand=files, on_rows=lambda *_: None
    )
    assert [report.error for report in reports if report.error] == []


def on_the_bus(name: str) -> Defects:
    """Return what is left of a file's defects once it is imported: rows in order, impossible prices refused."""
    known = KNOWN[name]
    refused = known.nonpositive  # each leaves a hole of one bar
    return Defects(
        gaps=known.gaps + refused,
        missing=known.missing + refused,
        longest_gap=max(known.longest_gap, min(1, refused)),
        zero_volume=known.zero_volume,
    )


def symbol_of(name: str) -> str:
    venue, code, timeframe, *more = name.partition("__")[0].split("_")
    return f"{venue}:{code}{'.P' if more == ['PERP'] else ''} {timeframe}"


def judge_on_the_bus(names: tuple[str, ...], shared_data: Path, mongo: MongoSettings) -> None:
    imported(names, shared_data, mongo)
    settings = IngestionSettings()
    examined = examine_bus(HealthQuery(), settings, mongo, on_progress=lambda *_: None)
    found = {item.health.name: found_in(item.health.measures) for item in examined}
    expected = {symbol_of(name): on_the_bus(name) for name in names}
    assert found == expected
    noted = asyncio.run(run_gaps(GapQuery(), settings, mongo, on_progress=lambda *_: None))
    assert {
        f"{item.symbol} {item.timeframe}": (len(item.gaps), sum(gap.bars for gap in item.gaps))
        for item in noted
    } == {name: (defects.gaps, defects.missing) for name, defects in expected.items()}


def test_on_the_bus_the_same_defects_are_found_and_kept_as_gaps(
    shared_data: Path, mongo_settings: MongoSettings
) -> None:
    judge_on_the_bus(SMALL, shared_data, mongo_settings)


@pytest.mark.proof
def test_on_the_bus_the_defects_of_all_files_are_found(
    shared_data: Path, mongo_settings: MongoSettings
) -> None:
    names = tuple(name for name in KNOWN if name not in AMBIGUOUS + OPENING + LONG)
    judge_on_the_bus(names, shared_data, mongo_settings)
