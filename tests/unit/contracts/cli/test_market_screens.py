"""Bars fit a terminal of 80 columns whole, each under its symbol."""

from datetime import UTC, datetime
from io import StringIO

import pyarrow as pa
from rich.console import Console

from quantbus_contracts.cli.market_screens import bars_table


def test_bars_are_shown_whole_under_the_name_of_their_symbol() -> None:
    symbols = ["BINANCE:DOGEUSDT.P", "BINANCE:BTCUSDT", "BINANCE:BTCUSDT"]
    columns = {"symbol": symbols, "datetime": [datetime(2024, 1, 31, 12, tzinfo=UTC)] * 3}
    columns |= {
        name: [34427.123456789, 0.0000123456, 41.5] for name in ("open", "high", "low", "close", "volume")
    }
    console = Console(width=80, file=StringIO(), record=True)
    console.print(bars_table(pa.table(columns), limit=20))
    lines = console.export_text().splitlines()
    assert not any("…" in line for line in lines)
    assert [line.strip() for line in lines if "BINANCE" in line] == symbols[:2]
    assert sum("2024-01-31 12:00" in line for line in lines) == 3
    assert sum("1.23456e-05" in line for line in lines) == 1
