"""Who speaks for a recipe: something that turns factors into scores, and what signals remember of it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_research.registry import code_version
from quantbus_research.scoring import scored_by
from quantbus_research.settings import Recipe
from quantbus_research.settings.nodes import ScoreSettings
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.staged import Trained
from quantbus_research.workflows.train import train

__all__ = ["MUTE", "Speaker", "rule_of", "speaker_at", "speaker_of"]


@dataclass(frozen=True, slots=True)
class Speaker:
    """A model, or a rule that a person wrote down."""

    score: Callable[[pd.DataFrame], pd.Series]
    """Scores, -1..1, of complete rows of factors by (symbol, datetime); NaN where there is none."""
    code_version: str
    model_id: str | None = None
    model_hash: str | None = None


def _silence(features: pd.DataFrame) -> pd.Series:
    return pd.Series(np.nan, index=features.index, dtype=np.float64)


MUTE = Speaker(_silence, code_version="")
"""Has no opinion, so that only what is due by time is said."""


def speaker_of(trained: Trained) -> Speaker:
    """Return a model as a speaker: the score is the probability of a rise, stretched to -1..1."""
    model, manifest = trained.model, trained.manifest

    def score(features: pd.DataFrame) -> pd.Series:
        return pd.Series(2.0 * model.predict(features) - 1.0, index=features.index, dtype=np.float64)

    return Speaker(score, manifest.code_version, manifest.model_id, manifest.model_sha256)


def rule_of(recipe: Recipe) -> Speaker:
    """Return the rule of a recipe without a model.

    Raises
    ------
    ConfigError
        If nothing in it scores.
    """
    rules = list(recipe.leading(ScoreSettings).values())
    if len(rules) != 1:
        raise ConfigError(
            f"expected one node of kind 'model' or 'score' to speak for {recipe.strategy_id}, found {len(rules)} rules"
        )
    return Speaker(lambda features: scored_by(rules[0], features), code_version())


def speaker_at(session: Session, bar: datetime, *, retrain: bool = False) -> tuple[Speaker, Trained | None]:
    """Return who speaks about a bar, and the model if it is one; raises as `train`."""
    if not session.recipe.has_model:
        return rule_of(session.recipe), None
    trained = train(session, bar, retrain=retrain)
    return speaker_of(trained), trained
