"""What the bot says of itself: its loop, its whitelist, its money; asked for at most once in a few seconds."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from pydantic import BaseModel, ConfigDict, Field

from quantbus_services.monitor.freqtrade_api import BotUnavailable, FreqtradeApi

__all__ = ["BotFigures", "FigureReader", "FigureSource", "FiguresKept", "FreqtradeFigures"]

_KEPT = timedelta(seconds=9)
"""A little less than the checks' own pace, so that each look of theirs is at figures of that moment."""


@dataclass(frozen=True, slots=True)
class BotFigures:
    """One look at a bot. Money is in its stake currency; ratios are shares, so 0.05 is five percent."""

    started_at: datetime | None
    last_process: datetime | None
    """When its own loop last turned; its REST API answers with a stuck loop too."""
    whitelist: frozenset[str]
    stake_currency: str
    equity: float
    """What it counts as its own, open trades at the market's prices."""
    free_stake: float
    open_trades: int
    closed_trades: int
    profit_ratio: float
    """Of all its trades, open ones too, to the capital it began with."""
    drawdown_ratio: float
    """From the most that its closed trades had brought it to, down to its equity now; 0 at the top."""
    day_profit_ratio: float
    """Of the trades closed since midnight UTC and of those still open, to what it had at midnight."""


class FigureReader(Protocol):
    """Asks a bot. May raise `BotUnavailable`."""

    async def figures(self) -> BotFigures:
        """Return how the bot stands now."""
        ...


class FigureSource(Protocol):
    """Figures for whoever wants them in one cycle. May raise `BotUnavailable`."""

    async def at(self, now: datetime) -> BotFigures:
        """Return how the bot stands at ``now``, or stood a few seconds before."""
        ...


class FreqtradeFigures:
    """Asks Freqtrade's REST API: five requests a look."""

    def __init__(self, api: FreqtradeApi) -> None:
        """Ask ``api``."""
        self._api = api

    async def figures(self) -> BotFigures:
        """Return how the bot stands now.

        Raises
        ------
        BotUnavailable
            If it does not answer, or something else does.
        """
        return figures_of(
            health=await self._api.answer("/health", HealthAnswer),
            whitelist=await self._api.answer("/whitelist", WhitelistAnswer),
            balance=await self._api.answer("/balance", BalanceAnswer),
            profit=await self._api.answer("/profit", ProfitAnswer),
            daily=await self._api.answer("/daily?timescale=1", DailyAnswer),
        )


class FiguresKept:
    """Asks a bot once for all who want to know; that it did not answer is kept as well."""

    def __init__(self, reader: FigureReader) -> None:
        """Ask ``reader``."""
        self._reader = reader
        self._asked_at: datetime | None = None
        self._figures: BotFigures | None = None
        self._failure = ""

    async def at(self, now: datetime) -> BotFigures:
        """Return how the bot stands at ``now``, or stood a few seconds before.

        Raises
        ------
        BotUnavailable
            If it does not answer.
        """
        if self._asked_at is None or not self._asked_at <= now < self._asked_at + _KEPT:
            self._asked_at = now
            try:
                self._figures = await self._reader.figures()
            except BotUnavailable as error:
                self._figures, self._failure = None, str(error)
        if self._figures is None:
            raise BotUnavailable(self._failure)
        return self._figures


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", allow_inf_nan=False)


class HealthAnswer(_Answer):
    """``/health``: seconds of Unix time."""

    last_process_ts: int | None = None
    bot_start_ts: int | None = None


class WhitelistAnswer(_Answer):
    """``/whitelist``."""

    whitelist: list[str]


class _Currency(_Answer):
    currency: str
    free: float
    is_position: bool = False


class BalanceAnswer(_Answer):
    """``/balance``."""

    currencies: list[_Currency]
    stake: str
    total_bot: float
    starting_capital: float


class ProfitAnswer(_Answer):
    """``/profit``."""

    profit_closed_coin: float
    profit_all_coin: float
    trade_count: int
    closed_trade_count: int
    current_drawdown_high: float = 0.0


class _Day(_Answer):
    abs_profit: float
    starting_balance: float


class DailyAnswer(_Answer):
    """``/daily``: the newest day first."""

    data: list[_Day] = Field(min_length=1)


def figures_of(
    *,
    health: HealthAnswer,
    whitelist: WhitelistAnswer,
    balance: BalanceAnswer,
    profit: ProfitAnswer,
    daily: DailyAnswer,
) -> BotFigures:
    """Return what five answers of one bot amount to."""
    highest = balance.starting_capital + max(0.0, profit.current_drawdown_high, profit.profit_closed_coin)
    day = daily.data[0]
    open_profit = profit.profit_all_coin - profit.profit_closed_coin
    free = [
        item.free for item in balance.currencies if item.currency == balance.stake and not item.is_position
    ]
    return BotFigures(
        started_at=_moment(health.bot_start_ts),
        last_process=_moment(health.last_process_ts),
        whitelist=frozenset(whitelist.whitelist),
        stake_currency=balance.stake,
        equity=balance.total_bot,
        free_stake=sum(free),
        open_trades=profit.trade_count - profit.closed_trade_count,
        closed_trades=profit.closed_trade_count,
        profit_ratio=_share(profit.profit_all_coin, balance.starting_capital),
        drawdown_ratio=max(0.0, _share(highest - balance.total_bot, highest)),
        day_profit_ratio=_share(day.abs_profit + open_profit, day.starting_balance),
    )


def _moment(seconds: int | None) -> datetime | None:
    return None if not seconds else datetime.fromtimestamp(seconds, UTC)


def _share(part: float, whole: float) -> float:
    return part / whole if whole > 0 else 0.0
