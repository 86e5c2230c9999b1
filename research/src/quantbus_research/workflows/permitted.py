"""Whether a recipe may speak live: its own gates have to have said yes, where it asks them."""

from datetime import datetime
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ValidationError

from quantbus_contracts.errors import ConfigError
from quantbus_research.settings import Recipe
from quantbus_research.settings.nodes import GateSettings
from quantbus_research.workflows.meaning import meaning_hash

__all__ = ["require_passed"]

_RUNS = "runs"


class _Judged(BaseModel):
    """What of a run's manifest says how its gates judged."""

    run_id: str
    state: Literal["done", "refused"]
    meaning: str
    as_of: datetime
    started_at: datetime
    only: None = None


def require_passed(recipe: Recipe, home: Path) -> None:
    """Refuse a recipe whose gates have refused it, or were never asked, in the newest run of it below ``home``.

    A recipe that publishes whatever they say needs no run, nor does one without gates, nor one whose model was promoted
    through them.

    Raises
    ------
    ConfigError
        Saying which run refused it, or how it is asked.
    """
    settings = recipe.publish
    is_promoted = recipe.has_model and settings.stage != "candidate"
    if settings.when_refused == "publish" or is_promoted or not recipe.leading(GateSettings):
        return
    found = _newest(recipe, home / _RUNS / recipe.strategy_id)
    if found is None:
        told = "found no run that asked them; `quantbus research run` of it, with the same --set and --pairs, does"
    elif found.state == "refused":
        told = f"found that they refuse it, as of {found.as_of:%Y-%m-%d %H:%M} in run {found.run_id}"
    else:
        return
    raise ConfigError(
        f"expected gates that let recipe {recipe.strategy_id} speak live, {told}; "
        "--set nodes.NAME.when_refused=publish of its publish node lets it speak all the same"
    )


def _newest(recipe: Recipe, folder: Path) -> _Judged | None:
    """Return the run over the newest bars, of several the last one, by the recipe as it is now."""
    found = []
    for path in folder.glob("*/run.json"):
        try:
            judged = _Judged.model_validate_json(path.read_bytes())
        except (OSError, ValidationError):
            continue  # it goes on, was cut off, or ran only some of the nodes
        if judged.meaning == meaning_hash(recipe):
            found.append(judged)
    return max(found, key=lambda one: (one.as_of, one.started_at), default=None)
