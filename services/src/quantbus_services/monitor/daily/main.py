"""Makes the report of a day: connection, bot, facts, report."""

from datetime import date, timedelta

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.mongo.client import connect_async
from quantbus_contracts.runtime.secret_files import read_secret
from quantbus_contracts.runtime.settings import MongoSettings
from quantbus_services.monitor.daily.gathering import gather
from quantbus_services.monitor.daily.judging import report_of
from quantbus_services.monitor.daily.report import DayReport
from quantbus_services.monitor.freqtrade_api import FreqtradeApi
from quantbus_services.monitor.freqtrade_figures import FreqtradeFigures
from quantbus_services.monitor.settings import MonitorSettings

__all__ = ["make_report"]

_ANSWER_SECONDS = 60.0


async def make_report(settings: MonitorSettings, mongo: MongoSettings, day: date | None) -> DayReport:
    """Return the report of ``day`` (UTC); without one of the day before today, by the bus's clock.

    Raises
    ------
    ConfigError
        If the day has not begun.
    """
    connection = connect_async(mongo, app="monitor", timeout_seconds=_ANSWER_SECONDS)
    bot = _bot(settings)
    try:
        today = (await connection.server_now()).date()
        if day is not None and day > today:
            raise ConfigError(f"--day: expected a day that has begun, found {day}; today is {today} (UTC)")
        facts = await gather(
            connection,
            day or today - timedelta(days=1),
            bot=FreqtradeFigures(bot) if bot is not None else None,
            bot_name=settings.freqtrade_consumer or "the bot",
        )
    finally:
        await connection.close()
        if bot is not None:
            await bot.close()
    return report_of(facts)


def _bot(settings: MonitorSettings) -> FreqtradeApi | None:
    if settings.freqtrade_url is None:
        return None
    file = settings.freqtrade_password_file
    password = settings.freqtrade_password if file is None else read_secret(file)
    return FreqtradeApi.at(settings.freqtrade_url, settings.freqtrade_user, password.get_secret_value())
