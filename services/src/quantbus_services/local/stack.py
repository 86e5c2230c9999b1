"""The processes of the stack: what each is called and how it is started. Pure."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

__all__ = ["StackPlan", "alert_configuration", "validate_recipe"]


@dataclass(frozen=True, slots=True)
class StackPlan:
    """One stack on this machine: folders, ports, and the market it trades.

    ``venue`` is a ccxt id whose live market data is used, or empty for the paper exchange; ``data`` is a folder of
    recorded candles for the paper exchange, or None for made-up ones. Without a ``gateway_port`` there is no gateway,
    and without a port for metrics ingestion and research serve none.
    """

    home: Path
    pairs: tuple[str, ...]
    recipe: str
    timeframe: str
    strategy_id: str
    consumer_id: str
    bot_port: int
    monitor_port: int
    paper_port: int
    venue: str
    data: Path | None
    gateway_port: int | None = None
    ingestion_metrics_port: int | None = None
    research_metrics_port: int | None = None

    @property
    def logs(self) -> Path:
        """Where every child's output goes."""
        return self.home / "logs"

    @property
    def bot_config(self) -> Path:
        """Freqtrade's configuration file."""
        return self.home / "freqtrade.json"

    @property
    def bot_password_file(self) -> Path:
        """Where the password of the bot's REST API stands; readable by this user only."""
        return self.home / "bot-password"

    @property
    def bot_url(self) -> str:
        """Address of Freqtrade's REST API."""
        return f"http://127.0.0.1:{self.bot_port}"

    @property
    def monitor_url(self) -> str:
        """Address of the monitor."""
        return f"http://127.0.0.1:{self.monitor_port}"

    @property
    def gateway_url(self) -> str | None:
        """Address of the gateway, where there is one."""
        return f"http://127.0.0.1:{self.gateway_port}" if self.gateway_port is not None else None

    @property
    def paper_url(self) -> str:
        """Address of the paper exchange."""
        return f"http://127.0.0.1:{self.paper_port}"

    def metrics_url(self, port: int | None) -> str | None:
        """Return where a process without pages of its own serves its metrics, if it does."""
        return None if port is None else f"http://127.0.0.1:{port}/metrics"

    @property
    def _market(self) -> list[str]:
        return ["--venue-url", self.paper_url] if not self.venue else ["--venue", self.venue]

    def paper_exchange(self) -> list[str]:
        """Return the command of the paper exchange."""
        data = ["--data", str(self.data)] if self.data else []
        return [
            *_quantbus("paper-exchange", "serve"),
            *("--port", str(self.paper_port), "--symbols", ",".join(self.pairs)),
            *("--anchor-file", str(self.home / "paper-anchor")),  # candles on the bus must not shift
            *data,
        ]

    def init(self) -> list[str]:
        """Return the command that prepares the bus."""
        return _quantbus("bus", "init")

    def configure_bot(self) -> list[str]:
        """Return the command that writes Freqtrade's configuration."""
        venue = ["--venue-url", self.paper_url] if not self.venue else ["--exchange", self.venue]
        return [
            *_quantbus("executor", "config"),
            *venue,
            *("--pairs", ",".join(self.pairs), "--timeframe", self.timeframe),
            *("--strategy-id", self.strategy_id, "--consumer-id", self.consumer_id),
            *("--db", str(self.home / "trades.sqlite"), "--api-port", str(self.bot_port)),
            *("--api-password-file", str(self.bot_password_file), "--throttle-seconds", "1"),
            *("--out", str(self.bot_config)),
        ]

    def bot(self, user_data: Path) -> list[str]:
        """Return the command of the bot: plain Freqtrade."""
        return [
            str(_beside_python("freqtrade")),
            *("trade", "--config", str(self.bot_config), "--userdir", str(user_data)),
            *("--strategy", "ExternalSignalStrategy", "--logfile", str(self.logs / "freqtrade-own.log")),
        ]

    def ingestion(self) -> list[str]:
        """Return the command of ingestion."""
        return [
            *_quantbus("ingest", "live"),
            *("--symbols", ",".join(self.pairs), "--timeframes", self.timeframe),
            *self._market,
            *_metrics(self.ingestion_metrics_port),
        ]

    def research(self) -> list[str]:
        """Return the command of the research worker."""
        return [
            *_quantbus("research", "run", self.recipe, "--loop", "--pairs", ",".join(self.pairs)),
            *_metrics(self.research_metrics_port),
        ]

    def monitor(self) -> list[str]:
        """Return the command of the monitor."""
        return _quantbus("monitor", "serve", "--port", str(self.monitor_port))

    def gateway(self) -> list[str]:
        """Return the command of the gateway."""
        return _quantbus("gateway", "serve", "--port", str(self.gateway_port))


def validate_recipe(recipe: str, pairs: tuple[str, ...]) -> list[str]:
    """Return the command that checks a recipe and prints it as JSON."""
    return _quantbus("research", "validate", recipe, "--pairs", ",".join(pairs), "--json")


def alert_configuration(file: Path) -> list[str]:
    """Return the command that writes whom Alertmanager tells."""
    return _quantbus("monitor", "alertmanager", "--out", str(file))


def _metrics(port: int | None) -> list[str]:
    return [] if port is None else ["--metrics-port", str(port)]


def _quantbus(*arguments: str) -> list[str]:
    return [str(_beside_python("quantbus")), *arguments]


def _beside_python(name: str) -> Path:
    """Return the command of the environment that runs us, whatever PATH says."""
    return Path(os.path.abspath(sys.executable)).parent / name  # noqa: PTH100  # resolve() would leave the environment
