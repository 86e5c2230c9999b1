"""Building the source of bars that the settings ask for."""

from datetime import timedelta

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import MongoSettings, load_settings
from quantbus_contracts.timeframe import Timeframe
from quantbus_services.paper_exchange.generator.basis import BasisSource, swap_listing
from quantbus_services.paper_exchange.generator.holes import Holes
from quantbus_services.paper_exchange.generator.perpetual import PerpetualSource
from quantbus_services.paper_exchange.generator.synthetic import SyntheticSource, synthetic_listing
from quantbus_services.paper_exchange.listings.listings import Listing, parse_pairs
from quantbus_services.paper_exchange.market import BarSource
from quantbus_services.paper_exchange.recordings.files import find_files, load_series, select_files
from quantbus_services.paper_exchange.recordings.recorded import RecordedSource, span_of
from quantbus_services.paper_exchange.recordings.replay import default_history, plan_replay
from quantbus_services.paper_exchange.series import Bars
from quantbus_services.paper_exchange.settings import PaperSettings

__all__ = ["open_sources", "replayed"]

_SYNTHETIC_PAIRS = (("BTC", "USDT"), ("ETH", "USDT"))
_SYNTHETIC_HISTORY = timedelta(days=30)
_BUS_SECONDS = 60.0  # one read of some ten thousand bars at the start


def open_sources(settings: PaperSettings, start_ms: int) -> tuple[BarSource, PerpetualSource]:
    """Return the spot bars that ``settings`` ask for, replayed from ``start_ms`` on, and the swaps over them.

    Raises
    ------
    ConfigError
        If the data is missing, broken or too short.
    """
    if settings.data and settings.from_bus:
        raise ConfigError("expected either --data or --from-bus, found both; leave one out")
    if not settings.data and not settings.from_bus:
        return _made_up(settings, start_ms)
    if settings.gaps or settings.quiet:
        raise ConfigError("expected --gaps and --quiet with made-up bars only; recorded bars have their own")
    spot = _from_files(settings, start_ms) if settings.data else _from_bus(settings, start_ms)
    swaps = map(swap_listing, spot.listings.values()) if settings.futures else ()
    return spot, BasisSource(swaps, spot, seed=settings.seed, known_ms=start_ms)


def _made_up(settings: PaperSettings, start_ms: int) -> tuple[BarSource, PerpetualSource]:
    if settings.timeframe != SyntheticSource.base.name:
        raise ConfigError(
            f"expected made-up bars of 1m, found --timeframe {settings.timeframe!r}; leave it out"
        )
    pairs = parse_pairs(settings.symbols) if settings.symbols else _SYNTHETIC_PAIRS
    listings = [synthetic_listing(base, quote) for base, quote in pairs]
    history = settings.history or _SYNTHETIC_HISTORY
    holes = Holes(settings.seed, missing=settings.gaps, quiet=settings.quiet)
    spot, whole = (
        SyntheticSource(listings, seed=settings.seed, now_ms=start_ms, history=history, holes=punched)
        for punched in (holes, None)
    )
    swaps = map(swap_listing, listings) if settings.futures else ()
    return spot, BasisSource(swaps, whole, seed=settings.seed, holes=holes)


def _from_files(settings: PaperSettings, now_ms: int) -> RecordedSource:
    timeframe = Timeframe.parse(settings.timeframe)
    chosen = select_files(
        find_files(settings.data),
        venue=settings.venue,
        timeframe=timeframe,
        pairs=parse_pairs(settings.symbols) if settings.symbols else None,
        quotes=settings.quotes,
    )
    origin = ", ".join(file.path.name for file in chosen.values())
    return replayed(load_series(chosen, timeframe), timeframe, settings.history, now_ms, origin)


def _from_bus(settings: PaperSettings, now_ms: int) -> RecordedSource:
    # Only here, since pandas and the driver take a second to import.
    from quantbus_contracts.mongo.client import connect
    from quantbus_services.paper_exchange.recordings.bus import bars_of_bus

    timeframe = Timeframe.parse(settings.timeframe)
    history = settings.history or default_history(timeframe.seconds * 1000)
    connection = connect(load_settings(MongoSettings), app="paper-exchange", timeout_seconds=_BUS_SECONDS)
    try:
        series = bars_of_bus(
            connection,
            venue=settings.venue,
            timeframe=timeframe,
            pairs=parse_pairs(settings.symbols) if settings.symbols else None,
            history=history,
        )
    finally:
        connection.close()
    return replayed(series, timeframe, history, now_ms, f"bus, {settings.venue} {timeframe.name}")


def replayed(
    series: dict[Listing, Bars], timeframe: Timeframe, history: timedelta | None, now_ms: int, origin: str
) -> RecordedSource:
    """Return recorded bars, moved so that ``history`` of each market lies behind now."""
    bar_ms = timeframe.seconds * 1000
    spans = {listing.name: span_of(bars, timeframe) for listing, bars in series.items()}
    plan = plan_replay(spans, now_ms=now_ms, bar_ms=bar_ms, history=history or default_history(bar_ms))
    return RecordedSource(series, base=timeframe, shift_ms=plan.shift_ms, origin=origin)
