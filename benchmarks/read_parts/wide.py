"""Many symbols with a year of 1h bars, close only, in one call: the usual way, rows, blocks."""

from bus_parts.ground import Ground, Results
from pandas.testing import assert_frame_equal

from quantbus_contracts import MarketData, Timeframe
from quantbus_contracts.market.tables import as_pandas
from quantbus_contracts.mongo.bar_reader import read_rows
from quantbus_contracts.mongo.block_sealer import BlockSealer
from read_parts.ground import END, Tick, naive, side_by_side, store

HOUR, DAYS = Timeframe.parse("1h"), 365


def measure(ground: Ground, results: Results, *, symbols: int, rounds: int, tick: Tick) -> None:
    """Measure."""
    names = [f"BINANCE:C{number:03}USDT" for number in range(symbols)]
    with ground.fresh() as connection:
        sealer, data = BlockSealer(connection), MarketData(connection)
        for number, name in enumerate(names):
            tick(f"storing and sealing {number + 1} of {symbols}")
            start = store(connection, name, HOUR, DAYS, seed=number)
            sealer.seal(name, HOUR)
        usual = f"{symbols} symbols of 1h, close only: list(find)"
        ways = {
            usual: lambda: naive(connection, HOUR, {"symbol": {"$in": names}}, ["close"]),
            f"{symbols} symbols: row reader": lambda: as_pandas(
                connection.run(read_rows(names, HOUR, start, END, ["close"])), ["close"], HOUR
            ),
            f"{symbols} symbols: get_market_data": lambda: data.get_market_data(
                names, start, END, "close", "1h"
            ),
        }
        plain, rows, ours = (work() for work in ways.values())
        assert_frame_equal(ours, rows)
        assert ours["close"].tolist() == plain["close"].tolist()
        side_by_side(results, ways, symbols * DAYS * 24, rounds, tick, base=usual)
