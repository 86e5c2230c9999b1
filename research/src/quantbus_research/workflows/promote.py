"""Promote: judge a model by all gates, and put it on a stage if it passes; and the way back."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Literal

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_contracts.market import Snapshot
from quantbus_research.gates import GATES, Figure, Trial, Verdict
from quantbus_research.registry import Manifest, ModelRegistry, StageBook
from quantbus_research.settings import Recipe
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.staged import require_fit

__all__ = ["Promotion", "Rollback", "promote", "rollback"]

Target = Literal["staging", "production"]


@dataclass(frozen=True, slots=True)
class Promotion:
    """What was decided about one model, and why."""

    model_id: str
    stage: Target
    done: bool
    told: str
    verdicts: tuple[Verdict, ...]
    displaced: str | None = None

    def as_dict(self) -> dict[str, object]:
        """Return it as plain values, ready for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Rollback:
    """Which model speaks again, if any."""

    done: bool
    told: str
    production: str | None
    withdrawn: str | None


def promote(session: Session, model_id: str | None = None, *, to: Target = "production") -> Promotion:
    """Judge a model, by default the one with the newest data, on the bars it was trained on; promote it if it passes.

    Refusals are results. Of two promotions at once the second finds the stages changed, and is refused.

    Raises
    ------
    ConfigError
        If there is no such model, or it was trained by another recipe.
    ArtefactError
        If the model or its bars were tampered with.
    """
    recipe, registry = session.recipe, session.registry
    book = registry.book(recipe.strategy_id)
    chosen = model_id or _newest(registry, recipe)
    if not registry.contains(recipe.strategy_id, chosen):
        raise ConfigError(
            f"expected a stored model of {recipe.strategy_id}, found no {chosen!r}; see `models`"
        )
    _, manifest = registry.load(recipe.strategy_id, chosen)
    _require_recipe(manifest, recipe)
    stands = book.stage_of(chosen)
    if stands == to or (stands, to) == ("production", "staging"):
        return Promotion(chosen, to, False, f"it is in {stands} already", ())
    trial = _trial(session, manifest)
    verdicts = tuple(gate(trial) for gate in GATES)
    refusing = [verdict.gate for verdict in verdicts if not verdict.passed]
    if refusing:
        return Promotion(chosen, to, False, f"refused by {', '.join(refusing)}", verdicts)
    promoted = book.promoted(
        chosen,
        manifest.model_sha256,
        to,
        at=session.clock.now(),
        why=f"passed {', '.join(verdict.gate for verdict in verdicts)}",
        figures=_figures(verdicts),
    )
    if not registry.replace_book(recipe.strategy_id, promoted, read_at_revision=book.revision):
        standing = registry.book(recipe.strategy_id).at(to)
        return Promotion(
            chosen, to, False, f"the stages changed meanwhile; {standing or 'nothing'} is in {to}", verdicts
        )
    return Promotion(chosen, to, True, f"promoted to {to}", verdicts, displaced=book.at(to))


def rollback(
    registry: ModelRegistry, strategy_id: str, *, now: datetime, why: str = "rolled back"
) -> Rollback:
    """Put the production model before the present one back, once its files are found sound; again goes further back.

    Raises
    ------
    ArtefactError
        If the former model is gone or was tampered with; nothing is changed then.
    """
    book = registry.book(strategy_id)
    back = book.rolled_back(at=now, why=why)
    if back is None or back.production is None:
        told = f"there is no model before {book.production}" if book.line else "no model is in production"
        return Rollback(False, told, book.production, None)
    _, manifest = registry.load(strategy_id, back.production)
    _require_promoted(manifest, book)
    if not registry.replace_book(strategy_id, back, read_at_revision=book.revision):
        standing = registry.book(strategy_id).production
        return Rollback(False, "the stages changed meanwhile; look, and do it again", standing, None)
    return Rollback(True, f"{back.production} speaks again", back.production, book.production)


def _newest(registry: ModelRegistry, recipe: Recipe) -> str:
    """Return the model of this recipe with the newest data; of several the one trained last."""
    stored = [registry.manifest(recipe.strategy_id, name) for name in registry.model_ids(recipe.strategy_id)]
    own = [manifest for manifest in stored if manifest.training_hash == recipe.training_hash]
    if not own:
        raise ConfigError(
            f"expected a model that this recipe of {recipe.strategy_id} trained, found {len(stored)} of others; "
            "train one with `quantbus research train`"
        )
    return max(own, key=lambda manifest: (manifest.data.last_open_time, manifest.trained_at)).model_id


def _require_recipe(manifest: Manifest, recipe: Recipe) -> None:
    if manifest.training_hash != recipe.training_hash:
        raise ConfigError(
            f"expected model {manifest.model_id} to be trained by this recipe, whose training part has hash "
            f"{recipe.training_hash[:12]}, found {manifest.training_hash[:12]}; give the recipe it was trained with"
        )
    require_fit(manifest, recipe)


def _require_promoted(manifest: Manifest, book: StageBook) -> None:
    expected = book.sha256_of(manifest.model_id)
    if manifest.model_sha256 != expected:
        raise ArtefactError(
            f"expected model {manifest.model_id} with the sha256 it was promoted with, {expected}, "
            f"found {manifest.model_sha256}; promote another"
        )


def _trial(session: Session, manifest: Manifest) -> Trial:
    bars = Snapshot.open(session.snapshots / manifest.data.snapshot_id).table()
    closed = session.recipe.market.bars.close_of(manifest.data.last_open_time)
    return Trial(bars, session.recipe, closed)


def _figures(verdicts: tuple[Verdict, ...]) -> Mapping[str, Figure]:
    return {
        f"{verdict.gate}.{name}": value for verdict in verdicts for name, value in verdict.figures.items()
    }
