"""Follows signals from the quantbus bus. Every rule lives in quantbus_executor; here Freqtrade only delegates.

Freqtrade looks for a class *defined* in this file and skips the file, with no more than a warning, if an import
fails: so its imports are few.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar

from freqtrade.persistence import Order, Trade
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy
from pandas import DataFrame

from quantbus_executor import FOLLOWING, fails_to, mark_no_exits


class FreqtradeBook:
    """Freqtrade's own trades, as the executor asks for them."""

    def open_trades(self) -> Sequence[Trade]:
        """Return the trades that are open."""
        return list(Trade.get_open_trades())

    def tagged(self, tag: str) -> Sequence[Trade]:
        """Return the trades, open or closed, that were entered with ``tag``."""
        return list(Trade.get_trades([Trade.enter_tag == tag]))

    def trade(self, trade_id: int) -> Trade | None:
        """Return one trade; None if there is none of that number."""
        return Trade.get_trades([Trade.id == trade_id]).first()

    def closed_since(self, pair: str, moment: datetime) -> Sequence[Trade]:
        """Return the trades of a pair that were closed after ``moment``, in any order."""
        after = Trade.close_date > moment.replace(tzinfo=None)  # as Freqtrade stores it: UTC without a zone
        return list(Trade.get_trades([Trade.pair == pair, Trade.is_open.is_(False), after]))

    def latest(self, count: int) -> Sequence[Trade]:
        """Return the trades that were opened last, newest first."""
        newest = Trade.get_trades_query().order_by(Trade.id.desc()).limit(count)
        return list(Trade.session.scalars(newest))


class ExternalSignalStrategy(IStrategy):  # type: ignore[misc]  # Freqtrade's classes are untyped here
    """Enters and leaves when the bus says so."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    startup_candle_count = 0  # nothing is computed from candles
    process_only_new_candles = False  # a signal comes after the candle's close: look again every loop
    can_short = False
    use_exit_signal = True  # without it custom_exit is never asked
    exit_profit_only = False  # an exit signal counts at a loss too
    minimal_roi: ClassVar[dict[str, float]] = {}  # no take-profit: leaving is the publisher's decision
    # The stop of last resort, for when the bus and every publisher are silent. Signals are expected to leave long
    # before; set `stoploss` in the config to what you can bear.
    stoploss = -0.10
    # A signal is worth its time, so orders do not wait for a price.
    order_types: ClassVar[dict[str, str | bool]] = {
        "entry": "market",
        "exit": "market",
        "stoploss": "market",
        "stoploss_on_exchange": False,
    }

    # What hyperopt may look for. It counts there alone; what it finds goes into `external_signal.rules` by hand.
    tolerance_bars = IntParameter(0, 5, default=1, space="buy")
    score_entry = DecimalParameter(0.05, 0.95, default=0.5, decimals=2, space="buy")
    score_band = DecimalParameter(0.01, 1.0, default=0.5, decimals=2, space="sell")
    scale_floor = DecimalParameter(0.1, 1.0, default=0.3, decimals=2, space="buy")
    scale_full_at = DecimalParameter(0.1, 1.0, default=0.55, decimals=2, space="buy")

    def bot_start(self, **kwargs: object) -> None:
        """Connect, once per start and per reload of the config."""
        FOLLOWING.start(self.config, FreqtradeBook(), self.dp.runmode.value, Trade)

    def bot_loop_start(self, current_time: datetime, **kwargs: object) -> None:
        """Ask the bus, once for all pairs."""
        FOLLOWING.on_loop(self.dp.current_whitelist, current_time)

    def populate_indicators(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Compute nothing: indicators are the publisher's business. Over the past, read its signals once."""
        return FOLLOWING.recall(dataframe, metadata["pair"])

    def populate_entry_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Mark the last row if the newest signal is to be entered now; over the past, every such row."""
        return FOLLOWING.mark(dataframe, metadata["pair"], self.enumerate_parameters())

    def populate_exit_trend(self, dataframe: DataFrame, metadata: dict[str, str]) -> DataFrame:
        """Mark nothing: see `custom_exit`."""
        return mark_no_exits(dataframe)

    @fails_to(0.0)
    def custom_stake_amount(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_stake: float,
        min_stake: float | None,
        max_stake: float,
        leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: object,
    ) -> float:
        """Stake what the signal asks for; 0 is no trade."""
        capital = self.wallets.get_total_stake_amount()
        return FOLLOWING.follower.entries.stake(
            pair, entry_tag, proposed_stake, capital, max_stake, min_stake
        )

    @fails_to(False)
    def confirm_trade_entry(
        self,
        pair: str,
        order_type: str,
        amount: float,
        rate: float,
        time_in_force: str,
        current_time: datetime,
        entry_tag: str | None,
        side: str,
        **kwargs: object,
    ) -> bool:
        """Check everything again; any error is a no."""
        return FOLLOWING.follower.entries.confirm(pair, entry_tag, side)

    def custom_exit(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        **kwargs: object,
    ) -> str | None:
        """Decide about leaving, every loop, with or without a new candle."""
        return FOLLOWING.follower.exits.reason(trade)

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: object
    ) -> None:
        """Note the fill in the ledger."""
        FOLLOWING.follower.on_fill(trade, order)
