"""The only place that starts Qlib: over a store of ours, with a recorder that today's MLflow accepts."""

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path

from quantbus_research.engine.bins import BinStore
from quantbus_research.engine.region import CRYPTO, teach_qlib_crypto
from quantbus_research.settings.extras import load

__all__ = ["open_qlib", "open_without_data", "recording"]

_PURPOSE = "the Qlib engine"


def open_qlib(store: BinStore, tracking: Path, *, experiment: str = "quantbus") -> None:
    """Point Qlib, in this process, at a store, and its recorder at ``tracking``.

    Records go to ``tracking/records.db`` (SQLite: Qlib's own default, a folder of files, is refused by MLflow since
    3.17) and artefacts below ``tracking/artefacts``, whatever the current folder is.

    Raises
    ------
    ConfigError
        If the extra ``qlib`` is not installed.
    """
    root = str(store.folder)
    _open(dict.fromkeys(store.manifest.frequencies, root), tracking, experiment)


def open_without_data(tracking: Path, *, experiment: str = "quantbus") -> None:
    """Start Qlib, in this process, for tables that are in memory; what it records goes to ``tracking``.

    Raises
    ------
    ConfigError
        If the extra ``qlib`` is not installed.
    """
    _open({"day": str(tracking.resolve())}, tracking, experiment)


def _open(providers: Mapping[str, str], tracking: Path, experiment: str) -> None:
    qlib = load("qlib", extra="qlib", purpose=_PURPOSE)
    load("mlflow", extra="qlib", purpose=_PURPOSE)
    teach_qlib_crypto()
    tracking = tracking.resolve()
    tracking.mkdir(parents=True, exist_ok=True)
    qlib.init(
        provider_uri=dict(providers),
        region=CRYPTO,
        kernels=1,
        logging_level=logging.WARNING,
        exp_manager={
            "class": "CryptoRecords",
            "module_path": "quantbus_research.engine.records",
            "kwargs": {"uri": f"sqlite:///{tracking / 'records.db'}", "default_exp_name": experiment},
        },
    )


@contextmanager
def recording(experiment: str, name: str) -> Iterator[object]:
    """Run what is inside as one recorded run; yields Qlib's recorder."""
    from qlib.workflow import R

    with R.start(experiment_name=experiment, recorder_name=name):
        yield R.get_recorder()


class _Deaf:
    """Takes what models tell Qlib's recorder, and keeps nothing of it."""

    def log_metrics(self, step: int | None = None, **metrics: float) -> None:
        """Hear figures of one round of learning."""

    def log_params(self, **parameters: object) -> None:
        """Hear what a model was made with."""


@contextmanager
def unrecorded() -> Iterator[None]:
    """Let models learn inside without a recorder: the one of Qlib writes every figure of every round to a database.

    What Qlib and its models print or warn of goes nowhere: a command's output is for what was asked of it.

    Raises
    ------
    ConfigError
        If the extra ``qlib`` is not installed.
    """
    with redirect_stdout(StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        load("qlib", extra="qlib", purpose=_PURPOSE)
        load("mlflow", extra="qlib", purpose=_PURPOSE)
        from qlib.workflow import R

        former = R._provider
        R._provider = _Deaf()
        try:
            yield
        finally:
            R._provider = former
