"""Follows signals from the quantbus bus. Every rule lives in quantbus_executor; here Freqtrade only delegates.

Freqtrade looks for a class *defined* in this file and skips the file, with no more than a warning, if an import
fails: so its imports are few.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, ClassVar

from freqtrade.exchange import timeframe_to_minutes
from freqtrade.persistence import Order, Trade
from freqtrade.strategy import DecimalParameter, IntParameter, IStrategy
from pandas import DataFrame

from quantbus_executor import FOLLOWING, Abilities, Claim, fails_to, mark_no_exits


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


class FreqtradeHouse:
    """What Freqtrade asks of an entry before it comes to the strategy, and what it has."""

    def __init__(self, strategy: IStrategy) -> None:
        """Tell it of the bot that runs ``strategy``."""
        self._strategy = strategy

    def free_slots(self) -> float:
        """Return how many more trades may be open."""
        return float(self._strategy.config["max_open_trades"]) - Trade.get_open_trade_count()

    def is_locked(self, pair: str, side: str) -> bool:
        """Tell whether the pair is locked on this side, as Freqtrade asks itself."""
        return self._strategy.is_pair_locked(pair, candle_date=self.newest_candle(pair), side=side)

    def newest_candle(self, pair: str) -> datetime | None:
        """Return the open time of the pair's newest candle; None if there is none."""
        candles = self._strategy.dp.ohlcv(pair, copy=False)
        return None if candles.empty else candles["date"].iloc[-1].to_pydatetime()

    def oldest_candle_allowed(self) -> timedelta:
        """Return how long ago the newest candle may have opened."""
        offset = self._strategy.config.get("exchange", {}).get("outdated_offset", 5)
        return timedelta(minutes=2 * timeframe_to_minutes(self._strategy.timeframe) + offset)

    def looks_at_depth(self) -> bool:
        """Tell whether entries depend on the depth of the market."""
        pricing = self._strategy.config.get("entry_pricing", {})
        return bool(pricing.get("check_depth_of_market", {}).get("enabled", False))

    def wallets(self) -> dict[str, Any]:
        """Return what the bot has, by currency."""
        return self._strategy.wallets.get_all_balances()


class FreqtradeVenue:
    """The venue, asked through Freqtrade's own exchange object about orders that a crash left unaccounted for."""

    def __init__(self, strategy: IStrategy) -> None:
        """Ask the exchange that ``strategy`` trades at."""
        self._strategy = strategy
        self._exchange = strategy.dp._exchange

    def key(self) -> tuple[str, str | None]:
        """Return what the venue is called, and the key that the account is known by."""
        return self._exchange.id, getattr(self._exchange._api, "apiKey", None) or None

    def lists_orders(self) -> bool:
        """Tell whether the orders of a pair can be asked for: without this, Freqtrade would say there are none."""
        has = self._exchange.exchange_has
        return has("fetchOrders") or (has("fetchOpenOrders") and has("fetchClosedOrders"))

    def orders_since(self, pair: str, since: datetime) -> Sequence[dict[str, Any]]:
        """Return the account's orders of a pair, open and ended."""
        return self._exchange.fetch_orders(pair, since)

    def knows(self, order_id: str, pair: str) -> bool:
        """Tell whether Freqtrade's database has the order."""
        return Order.order_by_id(order_id, pair) is not None

    def as_ordered(self, pair: str, amount: float) -> float:
        """Return an amount as Freqtrade cuts it for the venue."""
        return self._exchange.amount_to_contract_precision(pair, amount)

    def adopt(self, claim: Claim, order: dict[str, Any]) -> int | None:
        """Note the order as Freqtrade would have, had it lived: as open, so that its loop asks what became of it."""
        wish = claim.wish
        trade = (
            self._new_trade(claim)
            if wish.trade_id is None
            else Trade.get_trades([Trade.id == wish.trade_id, Trade.is_open.is_(True)]).first()
        )
        if trade is None:
            return None
        kept = Order.parse_from_ccxt_object(order, wish.pair, order["side"], wish.amount, wish.rate)
        kept.ft_order_tag, kept.ft_is_open = wish.tag, True
        trade.orders.append(kept)
        trade.recalc_trade_from_orders()
        Trade.session.add(trade)
        Trade.commit()
        return trade.id

    def _new_trade(self, claim: Claim) -> Trade | None:
        wish, exchange = claim.wish, self._exchange
        if any(one.pair == wish.pair for one in Trade.get_open_trades()):
            return None  # Freqtrade holds one trade of a pair, and cannot take the order of another into it
        fee = exchange.get_fee(symbol=wish.pair, taker_or_maker="maker")
        trade = Trade(
            pair=wish.pair,
            base_currency=exchange.get_pair_base_currency(wish.pair),
            stake_currency=self._strategy.config["stake_currency"],
            stake_amount=wish.amount * wish.rate / wish.leverage,
            amount=0,
            is_open=True,
            amount_requested=wish.amount,
            fee_open=fee,
            fee_close=fee,
            open_rate=wish.rate,
            open_rate_requested=wish.rate,
            open_date=claim.claimed_at,
            exchange=exchange.id,
            strategy=self._strategy.get_strategy_name(),
            enter_tag=wish.tag,
            timeframe=timeframe_to_minutes(self._strategy.timeframe),
            leverage=wish.leverage,
            is_short=wish.side == "short",
            trading_mode=exchange.trading_mode,
            funding_fees=0,
            amount_precision=exchange.get_precision_amount(wish.pair),
            price_precision=exchange.get_precision_price(wish.pair),
            precision_mode=exchange.precisionMode,
            precision_mode_price=exchange.precision_mode_price,
            contract_size=exchange.get_contract_size(wish.pair),
        )
        trade.adjust_stop_loss(trade.open_rate, self._strategy.stoploss, initial=True)
        return trade


class ExternalSignalStrategy(IStrategy):  # type: ignore[misc]  # Freqtrade's classes are untyped here
    """Enters and leaves when the bus says so."""

    INTERFACE_VERSION = 3
    timeframe = "1m"
    startup_candle_count = 0  # nothing is computed from candles
    process_only_new_candles = False  # a signal comes after the candle's close: look again every loop
    can_short = False  # see `__init__`: where the market allows it and the operator does not forbid it
    position_adjustment_enable = False  # see `__init__`: with a drift band
    use_custom_stoploss = True  # without it the stop of a signal is never asked for
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

    def __init__(self, config: dict[str, object]) -> None:
        """Be able to do what the config asks for: Freqtrade looks at the object before it starts."""
        super().__init__(config)
        able = Abilities.of(config)
        self.can_short, self.position_adjustment_enable = able.can_short, able.resizes

    def bot_start(self, **kwargs: object) -> None:
        """Connect, once per start and per reload of the config."""
        FOLLOWING.start(
            self.config,
            FreqtradeBook(),
            self.dp.runmode.value,
            Trade,
            FreqtradeVenue(self),
            FreqtradeHouse(self),
        )

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
            pair, entry_tag, proposed_stake, capital, max_stake, min_stake, leverage
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
        return FOLLOWING.follower.entries.confirm(pair, entry_tag, side, rate, amount)

    def check_entry_timeout(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: object
    ) -> bool:
        """Take back an entry that waits for its price once its signal would not be entered any more."""
        return order.order_type != "market" and FOLLOWING.follower.resting.is_over(trade, order)

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
        return FOLLOWING.follower.exits.reason(trade, current_rate)

    def leverage(
        self,
        pair: str,
        current_time: datetime,
        current_rate: float,
        proposed_leverage: float,
        max_leverage: float,
        entry_tag: str | None,
        side: str,
        **kwargs: object,
    ) -> float:
        """Take the leverage that the signal asks for, within what is allowed."""
        return FOLLOWING.follower.leverage.of(pair, entry_tag, proposed_leverage, max_leverage)

    def custom_stoploss(
        self,
        pair: str,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        after_fill: bool,
        **kwargs: object,
    ) -> float | None:
        """Hold the stop of the signal; None keeps the stop that is there."""
        own = self.stoploss if after_fill and not self.trailing_stop else None
        return FOLLOWING.follower.stops.distance(trade, current_rate, own)

    def adjust_trade_position(
        self,
        trade: Trade,
        current_time: datetime,
        current_rate: float,
        current_profit: float,
        min_stake: float | None,
        max_stake: float,
        current_entry_rate: float,
        current_exit_rate: float,
        current_entry_profit: float,
        current_exit_profit: float,
        **kwargs: object,
    ) -> tuple[float, str] | None:
        """Bring the position to the weight that the signal asks for; None leaves it."""
        capital = self.wallets.get_total_stake_amount
        return FOLLOWING.follower.resizing.change(trade, current_rate, capital, min_stake, max_stake)

    def order_filled(
        self, pair: str, trade: Trade, order: Order, current_time: datetime, **kwargs: object
    ) -> None:
        """Note the fill in the ledger."""
        FOLLOWING.follower.on_fill(trade, order)
