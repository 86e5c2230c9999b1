"""What five answers of Freqtrade amount to."""

from datetime import UTC, datetime

import httpx
import pytest

from quantbus_services.monitor.freqtrade_api import BotUnavailable, FreqtradeApi
from quantbus_services.monitor.freqtrade_figures import BotFigures, FiguresKept, FreqtradeFigures
from tests.unit.services.monitor.fake_bus import figures, seconds

NOON = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
ANSWERS: dict[str, object] = {
    "/health": {"last_process_ts": 1767614390, "bot_start_ts": 1767600000, "last_process": "ignored"},
    "/whitelist": {"whitelist": ["BTC/USDT", "ETH/USDT"], "length": 2, "method": ["StaticPairList"]},
    "/balance": {
        "currencies": [
            {"currency": "USDT", "free": 700.0, "balance": 800.0, "is_position": False},
            {"currency": "BTC/USDT:USDT", "free": 0.0, "balance": 0.0, "is_position": True},
        ],
        "stake": "USDT",
        "total": 950.0,
        "total_bot": 900.0,
        "starting_capital": 1000.0,
    },
    "/profit": {
        "profit_closed_coin": -20.0,
        "profit_all_coin": -100.0,
        "trade_count": 7,
        "closed_trade_count": 5,
        "current_drawdown_high": 200.0,
    },
    "/daily": {"data": [{"abs_profit": 30.0, "starting_balance": 1000.0, "date": "2026-01-05"}]},
}


def api(answers: dict[str, object]) -> FreqtradeApi:
    def answer(request: httpx.Request) -> httpx.Response:
        found = answers.get(request.url.path.removeprefix("/api/v1"))
        return httpx.Response(404) if found is None else httpx.Response(200, json=found)

    transport = httpx.MockTransport(answer)
    return FreqtradeApi(httpx.AsyncClient(transport=transport, base_url="http://bot/api/v1"))


async def look(answers: dict[str, object]) -> BotFigures:
    return await FreqtradeFigures(api(answers)).figures()


async def test_money_and_loop_are_read_from_what_freqtrade_answers() -> None:
    found = await look(ANSWERS)
    assert found.last_process == datetime(2026, 1, 5, 11, 59, 50, tzinfo=UTC)
    assert found.whitelist == {"BTC/USDT", "ETH/USDT"}
    assert (found.stake_currency, found.equity, found.free_stake) == ("USDT", 900.0, 700.0)
    assert (found.open_trades, found.closed_trades) == (2, 5)
    assert found.profit_ratio == pytest.approx(-0.1)
    assert found.drawdown_ratio == pytest.approx(1 - 900 / 1200)  # closed trades had brought it to 1200
    assert found.day_profit_ratio == pytest.approx((30 - 80) / 1000)


async def test_a_bot_that_has_not_traded_yet_has_lost_nothing() -> None:
    fresh = {
        "/health": {"last_process_ts": None, "bot_start_ts": 0},
        "/profit": {
            "profit_closed_coin": 0.0,
            "profit_all_coin": 0.0,
            "trade_count": 0,
            "closed_trade_count": 0,
        },
        "/balance": {"currencies": [], "stake": "USDT", "total_bot": 0.0, "starting_capital": 0.0},
        "/daily": {"data": [{"abs_profit": 0.0, "starting_balance": 0.0}]},
    }
    found = await look(ANSWERS | fresh)
    assert (found.last_process, found.started_at) == (None, None)
    assert (found.profit_ratio, found.drawdown_ratio, found.day_profit_ratio) == (0.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("path", "answer"),
    [
        ("/health", ["no", "object"]),
        ("/whitelist", {"whitelist": None}),
        ("/balance", {"currencies": []}),
        ("/profit", {**ANSWERS["/profit"], "profit_all_coin": "NaN"}),  # type: ignore[dict-item]
        ("/daily", {"data": []}),
        ("/daily", None),
    ],
)
async def test_an_answer_that_is_not_understood_is_unknown_and_not_nought(path: str, answer: object) -> None:
    with pytest.raises(BotUnavailable):
        await look(ANSWERS | {path: answer})


class Reader:
    def __init__(self) -> None:
        self.asked = 0
        self.down = False

    async def figures(self) -> BotFigures:
        self.asked += 1
        if self.down:
            raise BotUnavailable("no")
        return figures(NOON)


async def test_a_bot_is_asked_once_for_all_who_want_to_know() -> None:
    reader = Reader()
    kept = FiguresKept(reader)
    for later in (0, 3, 6):
        await kept.at(NOON + seconds(later))
    assert reader.asked == 1
    await kept.at(NOON + seconds(9))
    assert reader.asked == 2


async def test_that_it_does_not_answer_is_kept_too_and_old_figures_are_not() -> None:
    reader = Reader()
    kept = FiguresKept(reader)
    await kept.at(NOON)
    reader.down = True
    for later in (9, 12):
        with pytest.raises(BotUnavailable):
            await kept.at(NOON + seconds(later))
    assert reader.asked == 2
    reader.down = False
    assert (await kept.at(NOON + seconds(18))).equity == 1_000
