"""Run once: the newest closed bar, from candles to signals."""

import time
from dataclasses import dataclass
from datetime import datetime

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.schema import Origin
from quantbus_research.workflows.infer import Inference, infer
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.speaking import speaker_at
from quantbus_research.workflows.staged import Trained
from quantbus_research.workflows.waiting import Pause, newest_bar, wait_for_bar

__all__ = ["OnceReport", "run_once"]


@dataclass(frozen=True, slots=True)
class OnceReport:
    """Which model spoke about which bar, and what became of it."""

    trained: Trained | None
    """None where a rule speaks."""
    inference: Inference

    @property
    def model(self) -> Trained:
        """The model that spoke.

        Raises
        ------
        ConfigError
            If it was a rule.
        """
        if self.trained is None:
            raise ConfigError(f"expected a model, found the rule of {self.inference.run.strategy_id}")
        return self.trained

    def as_dict(self) -> dict[str, object]:
        """Return the report as plain values, ready for JSON."""
        inference = self.inference
        return {
            "strategy_id": inference.run.strategy_id,
            "bar": inference.bar.isoformat(),
            "origin": inference.origin,
            "timing": inference.timing,
            "model": _told(self.trained) if self.trained else None,
            "pairs": [
                {
                    "pair": verdict.view.pair,
                    "score": verdict.view.score,
                    "action": verdict.action,
                    "weight": verdict.weight,
                    "why": verdict.why,
                    "degraded": verdict.view.degraded,
                }
                for verdict in inference.verdicts
            ],
            "signals": len(inference.signals),
            "held_back": inference.held_back,
            "degraded": inference.run.degraded,
            "published": inference.report.as_dict(),
        }


def _told(trained: Trained) -> dict[str, object]:
    manifest = trained.manifest
    return {
        "model_id": manifest.model_id,
        "sha256": manifest.model_sha256,
        "reused": trained.reused,
        "data": manifest.data.model_dump(mode="json"),
        "metrics": dict(manifest.metrics),
    }


def run_once(
    session: Session, *, as_of: datetime | None = None, retrain: bool = False, pause: Pause | None = None
) -> OnceReport:
    """Evaluate the newest bar that is closed now, or was at ``as_of``, and publish what it says.

    Only the newest closed bar of the present is ``live``; any older one is ``backfill``, which never trades.
    """
    bar, origin = _choose_bar(session, as_of, pause or _sleep)
    speaker, trained = speaker_at(session, bar, retrain=retrain)
    inference = infer(session, speaker, bar, origin=origin, declare=origin == "live")
    return OnceReport(trained, inference)


def _choose_bar(session: Session, as_of: datetime | None, pause: Pause) -> tuple[datetime, Origin]:
    market = session.recipe.market
    now = as_of or session.clock.now()
    expected = market.bars.last_closed(now)
    newest = newest_bar(session.candles, market.instruments, market.bars, now)
    if newest is None:
        raise ConfigError(
            f"expected {market.timeframe} bars of {', '.join(market.pairs)} on {market.venue} "
            f"closed before {now.isoformat(timespec='seconds')}, found none on the bus; "
            "bring them in with `quantbus ingest backfill` or `quantbus ingest import`"
        )
    if as_of is not None:
        return newest, "backfill"
    if newest >= expected - market.bars.delta:  # ingestion is alive: the bar is there or about to come
        wait_for_bar(
            session.candles,
            market.instruments,
            market.bars,
            expected,
            until=market.bars.close_of(expected) + session.recipe.max_wait,
            clock=session.clock,
            pause=pause,
        )
        newest = newest_bar(session.candles, market.instruments, market.bars, now) or newest
    return newest, "live" if newest == expected else "backfill"


def _sleep(seconds: float) -> bool:
    time.sleep(seconds)
    return False
