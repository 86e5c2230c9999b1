"""Who speaks at which bar: the model on the recipe's stage, one trained as bars go by, or a rule."""

from datetime import datetime

from quantbus_research.worker.reporting import Reporter
from quantbus_research.workflows import Session, Speaker, Trained, speaker_at, speaker_of, training_end

__all__ = ["Speakers"]


class Speakers:
    """Asked at every bar, so that a promotion or a rollback is heard at the next."""

    def __init__(self, session: Session, reporter: Reporter, *, retrain: bool = False) -> None:
        """Take models from ``session``; with ``retrain`` train the first one even if it is stored."""
        self._session = session
        self._reporter = reporter
        self._retrain = retrain
        self._spoke: tuple[datetime, Trained] | None = None

    def at(self, bar: datetime) -> Speaker:
        """Return who speaks about the newest bar.

        Raises
        ------
        NoModel, SawTheFuture
            If no model may.
        TooFewBars
            If there is too little history to train one.
        ArtefactError
            If the model was tampered with.
        """
        session, before = self._session, self._spoke
        end = training_end(session.recipe, bar) if session.recipe.has_model else bar
        if before is not None and before[0] == end and session.stage == "candidate":
            return speaker_of(before[1])
        speaker, trained = speaker_at(session, bar, retrain=self._retrain)
        if trained is None:
            return speaker
        self._retrain = False
        self._spoke = end, trained
        if before is None or before[1].manifest.model_id != trained.manifest.model_id:
            self._reporter.model(trained)
        return speaker

    def before(self, bar: datetime) -> Speaker:
        """Return who would have spoken about a bar of the past; raises as `at`."""
        speaker, _ = speaker_at(self._session, bar)
        return speaker
