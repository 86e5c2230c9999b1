"""Keeps models in folders: ``<root>/<strategy_id>/<model_id>/{model.txt,manifest.json}``."""

import hashlib
import os
import tempfile
from pathlib import Path

from pydantic import ValidationError

from quantbus_contracts.errors import ArtefactError
from quantbus_research.models import LightGBMClassifier, Model
from quantbus_research.registry.manifest import Manifest

__all__ = ["ModelRegistry", "sha256_of"]

_MODEL, _MANIFEST = "model.txt", "manifest.json"


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a model's text."""
    return hashlib.sha256(text.encode()).hexdigest()


class ModelRegistry:
    """Stores a model as a whole or not at all, and hands out only what its hash says."""

    def __init__(self, root: Path) -> None:
        """Keep everything under ``root``."""
        self._root = root

    def folder(self, strategy_id: str, model_id: str) -> Path:
        """Return where a model lies, or would lie."""
        return self._root / strategy_id / model_id

    def contains(self, strategy_id: str, model_id: str) -> bool:
        """Tell whether the model is stored."""
        return self.folder(strategy_id, model_id).is_dir()

    def save(self, model: Model, manifest: Manifest) -> Path:
        """Store a model; one of the same id is replaced. Return its folder."""
        target = self.folder(manifest.strategy_id, manifest.model_id)
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".draft-", dir=target.parent) as workplace:
            draft = Path(workplace) / "new"
            draft.mkdir()
            _write_durably(draft / _MODEL, model.to_text())
            _write_durably(draft / _MANIFEST, manifest.model_dump_json(indent=2) + "\n")
            if target.exists():
                target.rename(Path(workplace) / "old")
            draft.rename(target)
        return target

    def load(self, strategy_id: str, model_id: str) -> tuple[Model, Manifest]:
        """Return a stored model and its manifest.

        Raises
        ------
        ArtefactError
            If either file is missing or unreadable, or the model is not the one the manifest names.
        """
        folder = self.folder(strategy_id, model_id)
        try:
            text = (folder / _MODEL).read_text(encoding="utf-8")
            manifest = Manifest.model_validate_json((folder / _MANIFEST).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise ArtefactError(
                f"cannot read the model in {folder}: {error}; train it again with --retrain"
            ) from None
        found = sha256_of(text)
        if found != manifest.model_sha256:
            raise ArtefactError(
                f"expected {folder / _MODEL} with sha256 {manifest.model_sha256}, found {found}: "
                "the file was changed after training; find out by whom, or train it again with --retrain"
            )
        return LightGBMClassifier.from_text(text), manifest


def _write_durably(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
