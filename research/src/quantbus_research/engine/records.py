"""Qlib's recorder for a market that never closes: what a file for ``qrun`` names as its ``exp_manager``.

    qlib_init:
      provider_uri: …
      exp_manager: {class: CryptoRecords, module_path: quantbus_research.engine.records, kwargs: {uri: …}}

Qlib makes it while it starts, after it has chosen a region; there is no earlier moment at which such a file could teach
Qlib another one. Its artefacts lie beside its database, whatever the current folder is.
"""

from pathlib import Path

from qlib.config import C
from qlib.workflow.exp import MLflowExperiment
from qlib.workflow.expm import MLflowExpManager
from qlib.workflow.recorder import MLflowRecorder

from quantbus_research.engine.region import CRYPTO, teach_qlib_crypto

__all__ = ["CryptoRecords"]

_SQLITE = "sqlite:///"


class CryptoRecords(MLflowExpManager):  # type: ignore[misc]  # Qlib is untyped
    """MLflow over SQLite: the folder of files that Qlib uses otherwise is refused by MLflow since 3.17."""

    def __init__(self, uri: str, default_exp_name: str = "quantbus") -> None:
        """Record in the database at ``uri`` (``sqlite:///…``), and choose the region."""
        teach_qlib_crypto()
        C.set_region(CRYPTO)
        if uri.startswith(_SQLITE):
            Path(uri.removeprefix(_SQLITE)).parent.mkdir(parents=True, exist_ok=True)
        # Qlib would run `git diff` in whatever folder is current, and print git's help where it is no repository.
        MLflowRecorder._log_uncommitted_code = _nothing
        super().__init__(uri, default_exp_name)

    def create_exp(self, experiment_name: str | None = None) -> MLflowExperiment:
        """Make an experiment whose artefacts lie in ``artefacts`` beside the database."""
        if not self.uri.startswith(_SQLITE):
            return super().create_exp(experiment_name)
        folder = Path(self.uri.removeprefix(_SQLITE)).resolve().parent / "artefacts"
        number = self.client.create_experiment(experiment_name, artifact_location=folder.as_uri())
        return MLflowExperiment(number, experiment_name, self.uri)


def _nothing(recorder: MLflowRecorder) -> None:
    """Log no code: a manifest of ours names the version that ran."""
