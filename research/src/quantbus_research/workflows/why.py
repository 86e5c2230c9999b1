"""Why: what each factor had to do with a signal, from the bars and the model that the signal names, or not at all."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_contracts.market import Snapshot
from quantbus_contracts.schema import PublishedSignal, Signal
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.dataset import load_panel, panel_query, snapshot_id
from quantbus_research.evaluation import with_none_for_nan
from quantbus_research.factors import compute
from quantbus_research.models import explain
from quantbus_research.publish import Thresholds, View, thresholds_of
from quantbus_research.registry import Baseline
from quantbus_research.scoring import reasons_of
from quantbus_research.settings import PolicySettings, Recipe
from quantbus_research.settings.nodes import ScoreSettings
from quantbus_research.workflows.session import Session
from quantbus_research.workflows.speaking import Speaker, rule_of, speaker_of
from quantbus_research.workflows.staged import Trained, require_fit
from quantbus_research.workflows.views import bars_to_load, views_of

__all__ = ["FactorPart", "Why", "why"]

_BASELINE = "feature_baseline.json"


@dataclass(frozen=True, slots=True)
class FactorPart:
    """One factor's part in a score.

    Attributes
    ----------
    added
        In the unit of `Why.unit`; None where a required condition that did not hold decided alone.
    usual_mean, usual_deviation
        Of the factor in training; None for a rule.
    condition, holds
        What a rule asked of it, and whether it was so; None where nothing was asked.
    """

    factor: str
    value: float
    added: float | None
    usual_mean: float | None = None
    usual_deviation: float | None = None
    condition: str | None = None
    holds: bool | None = None


@dataclass(frozen=True, slots=True)
class Why:
    """A signal taken apart.

    Attributes
    ----------
    unit
        Of ``base`` and of what factors added: ``log odds`` before calibration, or ``score`` before it is scaled.
    steps
        From the sum of the parts to the score, name by name.
    calibration
        What a curve did after the parts were added up; it has no factors, and nothing of it is divided among them.
    thresholds
        What the policy's thresholds were at that bar; None for a recipe that selects.
    higher_than
        Share of the scores the policy looked at that were lower; None where it looked at this one alone.
    """

    published: PublishedSignal
    speaker: str
    unit: str
    base: float
    parts: tuple[FactorPart, ...]
    steps: tuple[tuple[str, float], ...]
    calibration: str | None
    thresholds: Thresholds | None
    higher_than: float | None
    bars_from: str

    def as_dict(self) -> dict[str, object]:
        """Return plain values, ready for JSON."""
        signal = self.published.signal
        told = {
            "signal_id": self.published.signal_id,
            "version": self.published.version,
            **signal.model_dump(mode="json", exclude_none=True),
            "speaker": self.speaker,
            "unit": self.unit,
            "base": self.base,
            "factors": [asdict(part) for part in self.parts],
            "steps": dict(self.steps),
            "calibration": self.calibration,
            "thresholds": None if self.thresholds is None else asdict(self.thresholds),
            "higher_than": self.higher_than,
            "bars_from": self.bars_from,
        }
        return {name: with_none_for_nan(value) for name, value in told.items()}


def why(session: Session, signal_id: str) -> Why:
    """Explain the newest version of a signal that the session's recipe published.

    Its score is computed anew from the same bars and the same model; if it is not the published one to the last bit,
    nothing is explained.

    Raises
    ------
    ConfigError
        If there is no such signal, it was published by something else, or by this recipe when it said otherwise.
    ArtefactError
        If model, bars or score are not those that the signal names.
    """
    published = session.history.get(signal_id)
    if published is None:
        raise ConfigError(
            f"expected a signal on the bus, found no {signal_id!r}; see `quantbus signals list`"
        )
    signal, recipe = published.signal, session.recipe
    _require_recipe(signal, recipe)
    speaker, trained = _speaker(session, signal)
    panel, origin = _bars(session, signal)
    view = _view(session, panel, speaker, signal)
    features = compute(panel, recipe.factors.names).dropna()
    here = features[features.index.get_level_values(1) == pd.Timestamp(signal.ts)]
    row = here.loc[[(signal.symbol, pd.Timestamp(signal.ts))]]
    policy = next(iter(recipe.leading(PolicySettings).values()), None)
    scores = view.recent_scores
    apart = (
        _by_model(session, trained, row)
        if trained is not None
        else _by_rule(recipe, row, speaker.score(here))
    )
    unit, base, parts, steps, calibration = apart
    return Why(
        published=published,
        speaker=f"model {signal.model_id}" if trained is not None else "rule",
        unit=unit,
        base=base,
        parts=parts,
        steps=steps,
        calibration=calibration,
        thresholds=None if policy is None else thresholds_of(policy, scores),
        higher_than=float(np.mean(np.array(scores[:-1]) < scores[-1])) if len(scores) > 1 else None,
        bars_from=origin,
    )


_Apart = tuple[str, float, tuple[FactorPart, ...], tuple[tuple[str, float], ...], str | None]


def _require_recipe(signal: Signal, recipe: Recipe) -> None:
    if signal.score is None or signal.snapshot_id is None or signal.config_hash is None:
        raise ConfigError(
            "expected a signal with a score that a recipe's worker published, found one of "
            f"{signal.source or 'no source'} ({signal.note or 'without a note'}); there are no factors behind it"
        )
    if signal.config_hash != recipe.config_hash:
        raise ConfigError(
            f"expected the recipe that published it (config {signal.config_hash[:12]}), found {recipe.strategy_id} "
            f"as it is now ({recipe.config_hash[:12]}); give the recipe of that time, with its --set and --pairs"
        )


def _speaker(session: Session, signal: Signal) -> tuple[Speaker, Trained | None]:
    strategy_id = session.recipe.strategy_id
    if not session.recipe.has_model:
        return rule_of(session.recipe), None
    if signal.model_id is None or not session.registry.contains(strategy_id, signal.model_id):
        raise ConfigError(
            f"expected model {signal.model_id!r} of {strategy_id} among those stored here, found none; models of a "
            "single run of a recipe are not kept, and those of another machine lie there"
        )
    model, manifest = session.registry.load(strategy_id, signal.model_id)
    if manifest.model_sha256 != signal.model_hash:
        raise ArtefactError(
            f"expected model {signal.model_id} with sha256 {signal.model_hash}, which the signal names, found "
            f"{manifest.model_sha256}: it was trained anew since"
        )
    require_fit(manifest, session.recipe)
    trained = Trained(model, manifest, reused=True)
    return speaker_of(trained), trained


def _bars(session: Session, signal: Signal) -> tuple[pd.DataFrame, str]:
    """Return the bars the signal was computed from: a snapshot that was kept, or the bus's if they are the same."""
    recipe = session.recipe
    kept = session.snapshots / str(signal.snapshot_id)
    if kept.is_dir():
        taken = Snapshot.open(kept)
        taken.verify()
        panel: pd.DataFrame = taken.table()
        return panel, "a snapshot"
    as_of = Timeframe.parse(signal.timeframe).close_of(signal.ts)
    instruments, timeframe = recipe.market.instruments, recipe.market.bars
    for bars in (bars_to_load(recipe), recipe.data.train_bars):  # what a worker loads, and what a run does
        panel = load_panel(session.frames, instruments, timeframe, as_of=as_of, bars=bars)
        found = snapshot_id(panel, panel_query(instruments, timeframe, as_of=as_of, bars=bars))
        if found == signal.snapshot_id:
            return panel, "the bus"
    raise ArtefactError(
        f"expected the bars the signal was computed from (snapshot {signal.snapshot_id}), found others on the bus "
        f"({found}): bars were corrected, came late or are gone, or a run said it about the past, from later bars too"
    )


def _view(session: Session, panel: pd.DataFrame, speaker: Speaker, signal: Signal) -> View:
    views = views_of(panel, speaker, session.recipe, signal.ts, session.gaps)
    view = next((item for item in views if item.pair == signal.pair), None)
    if view is None or view.score != signal.score:
        found = None if view is None else view.score
        raise ArtefactError(
            f"expected the score {signal.score!r} that was published, found {found!r} from the same bars: other "
            "code or libraries compute it otherwise now; use the release that published it "
            f"(code {signal.code_version})"
        )
    return view


def _by_model(session: Session, trained: Trained, row: pd.DataFrame) -> _Apart:
    told = explain(trained.model, row)
    manifest = trained.manifest
    file = session.registry.folder(manifest.strategy_id, manifest.model_id) / _BASELINE
    usual = (
        Baseline.model_validate_json(file.read_text(encoding="utf-8")).features
        if _BASELINE in manifest.files
        else {}
    )
    parts = []
    for name, added in zip(map(str, told.added.index), told.added.tolist(), strict=True):
        here = usual.get(name)
        known = (None, None) if here is None else (here.mean, here.deviation)
        parts.append(FactorPart(name, float(row[name].iloc[0]), added, *known))
    steps = [("log odds", told.log_odds), ("probability of a rise", told.probability_before)]
    if told.calibration is not None:
        steps.append(("calibrated", told.probability))
    steps.append(("score", 2.0 * told.probability - 1.0))
    return "log odds", told.base, tuple(parts), tuple(steps), told.calibration


def _by_rule(recipe: Recipe, row: pd.DataFrame, scores: pd.Series) -> _Apart:
    (rule,) = recipe.leading(ScoreSettings).values()
    reasons = reasons_of(rule, row.iloc[0])
    is_barred = any(reason.bars for reason in reasons)
    parts = tuple(
        FactorPart(
            reason.factor,
            reason.value,
            None if is_barred else reason.added,
            condition=reason.condition,
            holds=reason.holds,
        )
        for reason in reasons
    )
    score = float(scores.loc[row.index[0]])
    if rule.votes:
        return "score", -1.0, parts, (("score", score),), None
    mean = sum(reason.added for reason in reasons)
    steps: Sequence[tuple[str, float]] = (("weighted mean", mean), (f"score ({rule.scale})", score))
    return "score", 0.0, parts, tuple(steps), None
