"""Settings of ingestion, read from ``QUANTBUS_INGESTION_*``."""

from pydantic import Field, field_validator
from pydantic_settings import SettingsConfigDict

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.runtime.settings import ProcessSettings
from quantbus_services.ingestion.fallbacks import parse_fallback

__all__ = ["IngestionSettings"]

_QUOTES = (
    "USDT",
    "USDC",
    "FDUSD",
    "TUSD",
    "BUSD",
    "DAI",
    "USD",
    "EUR",
    "GBP",
    "TRY",
    "JPY",
    "BTC",
    "ETH",
    "BNB",
)
_VENUE_QUOTES = {
    "BINANCE": (
        "USDT",
        "USDC",
        "FDUSD",
        "TUSD",
        "BUSD",
        "DAI",
        "EUR",
        "GBP",
        "TRY",
        "BRL",
        "JPY",
        "BTC",
        "ETH",
        "BNB",
    ),
    "COINBASE": ("USD", "USDC", "USDT", "EUR", "GBP", "BTC", "ETH"),
    "KRAKEN": ("USD", "USDC", "USDT", "EUR", "GBP", "CAD", "AUD", "CHF", "JPY", "XBT", "BTC", "ETH"),
    # No exchanges: what is collected from them is quoted in dollars.
    "COINMARKETCAP": ("USD",),
    "YAHOO": ("USD",),
}
_VENUES = (
    *("binance", "binanceus", "bitfinex", "bitget", "bitmex", "bitstamp", "bybit", "coinbase", "cryptocom"),
    *("deribit", "gate", "gateio", "gemini", "hitbtc", "htx", "huobi", "hyperliquid", "kraken", "kucoin"),
    *("mexc", "okx", "poloniex"),
)


class IngestionSettings(ProcessSettings):
    """How candles are fetched, and how file names are read."""

    model_config = SettingsConfigDict(env_prefix="QUANTBUS_INGESTION_")

    venue: str = Field("binance", pattern=r"^[a-z0-9_]{1,32}$")
    """The exchange, by its ccxt id."""
    venue_url: str | None = Field(None, pattern=r"^https?://\S+$")
    """Base address that stands in for the exchange's own hosts (a paper exchange, a proxy)."""
    venue_timeout_seconds: float = Field(10.0, gt=0, le=120)

    history_days: float = Field(2.0, gt=0, le=3650)
    """How far back `ingest live` fills before it starts."""
    grace_seconds: float = Field(0.25, ge=0, le=30)
    """How long after a bar's close it is first asked for."""
    stream: bool = True
    """Whether the exchange's websocket, where it has one, may tell when a bar has closed."""
    reread_bars: int = Field(3, ge=1, le=100)
    """How many closed bars each cycle reads again, so that corrections of the venue land as updates."""
    patience_seconds: float = Field(20.0, ge=1, le=600)
    """How long a cycle keeps asking for a bar that has closed and is not there yet."""
    retry_attempts: int = Field(5, ge=1, le=20)
    """How often one request to the venue is tried before it counts as failed."""
    max_failures: int = Field(720, ge=1, le=10_000)
    """How many turns in a row every series may fail before the process gives up with exit code 1: about six hours."""
    heartbeat_seconds: float = Field(10.0, gt=0, le=300)
    clock_check_seconds: float = Field(300.0, ge=10, le=86_400)
    """How often the venue's clock is compared with ours."""
    concurrency: int = Field(8, ge=1, le=64)
    """How many pages are under way at once, over all series; the venue's rate limit holds across all of them."""
    page_bars: int = Field(1000, ge=10, le=5000)
    """How many bars are asked for in one request."""

    fallbacks: tuple[str, ...] = ()
    """Second sources: ``OKX:BTCUSDT`` for the symbol of the same currencies, or ``BTC/USDT=OKX:BTCUSDT``."""
    fallback_url: str | None = Field(None, pattern=r"^https?://\S+$")
    """Base address that stands in for the second source's own hosts."""
    fallback_after_seconds: float = Field(60.0, ge=0, le=86_400)
    """How long the exchange must have failed for a series before the second source stands in."""
    disagreement_close: float = Field(0.002, gt=0, le=1)
    """Relative difference of closes above which two sources are recorded as disagreeing."""
    disagreement_volume_ratio: float = Field(20.0, gt=1, le=1e6)
    """The greater volume over the smaller one above which they are."""

    gap_check_seconds: float = Field(300.0, ge=1, le=86_400)
    """How often live ingestion looks for gaps to ask for again."""
    gap_pause_seconds: float = Field(3600.0, ge=0, le=604_800)
    """How long to wait before a gap is asked for again; an answer around it counts only after as long."""
    gap_confirmations: int = Field(3, ge=1, le=100)
    """So many answers around a gap confirm that the exchange has no such bars."""
    gap_attempts: int = Field(5, ge=1, le=1000)
    """So many requests without an answer around a gap make it unreachable."""

    instance: str = Field("main", pattern=r"^[A-Za-z0-9_.-]{1,64}$")
    """Which ingestion process this is, in its heartbeat."""
    metrics_port: int = Field(0, ge=0, le=65_535)
    """Port of ``/metrics``; 0 turns it off."""
    metrics_host: str = Field("127.0.0.1", min_length=1, max_length=253)
    """Address of ``/metrics``; another than this machine's own only where a container shields it."""

    quotes: tuple[str, ...] = _QUOTES
    """Currencies a symbol may be quoted in, where no stored market answers to a name such as ``BTCUSDT``."""
    venue_quotes: dict[str, tuple[str, ...]] = _VENUE_QUOTES
    """The same for single venues; a shorter list makes fewer names ambiguous."""
    folder_venues: tuple[str, ...] = _VENUES
    """Folder names that are taken for the venue of the files inside."""

    @field_validator("fallbacks")
    @classmethod
    def _readable(cls, texts: tuple[str, ...]) -> tuple[str, ...]:
        for text in texts:
            try:
                parse_fallback(text)
            except ConfigError as error:
                raise ValueError(str(error)) from None
        return texts
