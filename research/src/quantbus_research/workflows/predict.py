"""Predict: what a stored model says about a bar; nothing is trained, nothing is published."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quantbus_contracts.errors import ConfigError
from quantbus_research.dataset import load_panel
from quantbus_research.publish import View
from quantbus_research.registry import Manifest
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.speaking import speaker_of
from quantbus_research.workflows.staged import Trained, require_fit, require_past, staged
from quantbus_research.workflows.views import bars_to_load, views_of
from quantbus_research.workflows.waiting import newest_bar

__all__ = ["Prediction", "predict"]


@dataclass(frozen=True, slots=True)
class Prediction:
    """What one model thinks of one bar of each pair."""

    bar: datetime
    manifest: Manifest
    views: tuple[View, ...]

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values, ready for JSON."""
        return {
            "strategy_id": self.manifest.strategy_id,
            "model_id": self.manifest.model_id,
            "sha256": self.manifest.model_sha256,
            "bar": self.bar.isoformat(),
            "pairs": [
                {
                    "pair": view.pair,
                    "score": view.score,
                    "probability": None if view.score is None else (view.score + 1.0) / 2.0,
                    "close": view.close,
                    "degraded": view.degraded,
                }
                for view in self.views
            ],
        }


def predict(
    session: Session,
    *,
    stage: Literal["staging", "production"] = "production",
    model_id: str | None = None,
    as_of: datetime | None = None,
) -> Prediction:
    """Ask the model on a stage, or the one named, about the newest bar closed by now or ``as_of``.

    Raises
    ------
    ConfigError
        If there is no such model or bar, or the model was made for other factors, labels or bars, or trained on
        what came after the bar.
    ArtefactError
        If the model was tampered with.
    """
    recipe = session.recipe
    market, now = recipe.market, as_of or session.clock.now()
    bar = newest_bar(session.candles, market.instruments, market.bars, now)
    if bar is None:
        raise ConfigError(
            f"expected {market.timeframe} bars of {', '.join(market.pairs)} closed before "
            f"{now.isoformat(timespec='seconds')}, found none on the bus"
        )
    trained = _named(session, model_id, bar) if model_id is not None else staged(session, stage, bar)
    panel = load_panel(
        session.frames,
        market.instruments,
        market.bars,
        as_of=market.bars.close_of(bar),
        bars=bars_to_load(recipe),
    )
    views = views_of(panel, speaker_of(trained), recipe, bar, session.gaps)
    return Prediction(bar, trained.manifest, tuple(views))


def _named(session: Session, model_id: str, bar: datetime) -> Trained:
    if not session.registry.contains(session.recipe.strategy_id, model_id):
        raise ConfigError(f"expected a stored model of {session.recipe.strategy_id}, found no {model_id!r}")
    model, manifest = session.registry.load(session.recipe.strategy_id, model_id)
    require_fit(manifest, session.recipe)
    require_past(manifest, bar)
    return Trained(model, manifest, reused=True)
