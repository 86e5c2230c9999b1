"""The model on a stage: who may speak for a recipe, and from which bar on."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from quantbus_contracts.errors import ConfigError
from quantbus_research.factors import select
from quantbus_research.models import Model
from quantbus_research.registry import Manifest
from quantbus_research.settings import Recipe
from quantbus_research.workflows.session import Session

__all__ = ["NoModel", "SawTheFuture", "Trained", "require_fit", "require_past", "staged"]


class NoModel(ConfigError):
    """Nobody on the stage may speak for the recipe; a promotion changes that."""


class SawTheFuture(ConfigError):
    """The model was trained on bars that closed after the one it is to speak about."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model ready to predict, and whether it was there already."""

    model: Model
    manifest: Manifest
    reused: bool


def staged(session: Session, stage: Literal["staging", "production"], bar: datetime) -> Trained:
    """Return the model on a stage, if it may speak about ``bar``.

    Raises
    ------
    NoModel
        If there is none, or it was made for other factors, labels or bars.
    SawTheFuture
        If ``bar`` is too old.
    ArtefactError
        If it is not the model that was promoted.
    """
    strategy_id = session.recipe.strategy_id
    found = session.registry.load_stage(strategy_id, stage)
    if found is None:
        raise NoModel(
            f"expected a model of {strategy_id} in {stage}, found none; "
            "train one and put it there with `quantbus research promote`"
        )
    model, manifest = found
    require_fit(manifest, session.recipe)
    require_past(manifest, bar)
    return Trained(model, manifest, reused=True)


def require_fit(manifest: Manifest, recipe: Recipe) -> None:
    """Refuse a model that was made for something else than what the recipe would ask it.

    Raises
    ------
    NoModel
        Naming what differs: factors that mean something else by now, the label, the timeframe, the pairs.
    """
    factors = select(recipe.factors.names)
    now = {factor.name: factor.signature for factor in factors}
    then = dict(manifest.factors)
    other = sorted(name for name in now.keys() | then.keys() if now.get(name) != then.get(name))
    faults = [f"factors {', '.join(other)}"] if other else []
    if manifest.label != recipe.label.told:
        faults.append(f"label {manifest.label!r} instead of {recipe.label.told!r}")
    if manifest.data.timeframe != recipe.market.timeframe:
        faults.append(f"{manifest.data.timeframe} bars instead of {recipe.market.timeframe}")
    seen, asked = set(manifest.data.bars), {item.symbol for item in recipe.market.instruments}
    if asked - seen or (asked != seen and any(factor.is_across for factor in factors)):
        faults.append(f"pairs, {', '.join(sorted(seen))}")
    if faults:
        raise NoModel(
            f"expected model {manifest.model_id} to be made for recipe {recipe.strategy_id}, found other "
            f"{'; '.join(faults)}; train a new one, or use the recipe and the release it was trained with"
        )


def require_past(manifest: Manifest, bar: datetime) -> None:
    """Refuse to speak about a bar that closed before the newest one which the model was trained on.

    Raises
    ------
    SawTheFuture
        Always then.
    """
    newest = manifest.data.last_open_time
    if bar < newest:
        raise SawTheFuture(
            f"expected a bar from {newest:%Y-%m-%d %H:%M} on, found {bar:%Y-%m-%d %H:%M}: model "
            f"{manifest.model_id} was trained on what came after it; use a model with older data"
        )
