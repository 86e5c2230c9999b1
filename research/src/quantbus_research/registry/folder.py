"""Keeps models in folders, ``<root>/<strategy_id>/<model_id>/``, and beside these the stages they stand on."""

import hashlib
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from quantbus_contracts.errors import ArtefactError, ConfigError
from quantbus_research.models import Model, read_model
from quantbus_research.registry.durable import one_writer, replace_file, settle_folder, write_file
from quantbus_research.registry.manifest import Manifest
from quantbus_research.registry.stages import StageBook

__all__ = ["ModelRegistry", "sha256_of"]

_MODEL, _INFO, _STAGES = "model.txt", "model_info.json", "stages.json"
_NAME = re.compile(r"^(?!\.)[A-Za-z0-9_.-]{1,128}$")


def sha256_of(text: str) -> str:
    """Return the SHA-256 of a file's text."""
    return hashlib.sha256(text.encode()).hexdigest()


class ModelRegistry:
    """Stores a model as a whole or not at all, and hands out only what its hash says."""

    def __init__(self, root: Path) -> None:
        """Keep everything under ``root``."""
        self._root = root

    def folder(self, strategy_id: str, model_id: str) -> Path:
        """Return where a model lies, or would lie.

        Raises
        ------
        ConfigError
            If either name cannot be one of a folder here.
        """
        for name in (strategy_id, model_id):
            if not _NAME.match(name):
                raise ConfigError(f"expected letters, digits, '_', '-' and '.' (not first), found {name!r}")
        return self._root / strategy_id / model_id

    def contains(self, strategy_id: str, model_id: str) -> bool:
        """Tell whether the model is stored."""
        return self.folder(strategy_id, model_id).is_dir()

    def model_ids(self, strategy_id: str) -> tuple[str, ...]:
        """Return the stored models, by the end of their data."""
        found = (self._root / strategy_id).glob(f"[!.]*/{_INFO}")
        return tuple(sorted(path.parent.name for path in found))

    def save(self, model: Model, manifest: Manifest, papers: Mapping[str, str] | None = None) -> Path:
        """Store a model with its papers (text by file name); return its folder.

        One of the same id is replaced, unless it is the same and sound: then it stays as it is.
        """
        target, texts = self.folder(manifest.strategy_id, manifest.model_id), dict(papers or {})
        found = {name: sha256_of(text) for name, text in texts.items()}
        if found != dict(manifest.files) or sha256_of(model.to_text()) != manifest.model_sha256:
            raise ArtefactError(f"expected a manifest that names the hashes of {', '.join([_MODEL, *texts])}")
        texts |= {_MODEL: model.to_text(), _INFO: manifest.model_dump_json(indent=2) + "\n"}
        with one_writer(self._lock(manifest.strategy_id)):
            if not self._stands(manifest):
                _store(target, texts)
        return target

    def manifest(self, strategy_id: str, model_id: str) -> Manifest:
        """Return what is known about a stored model.

        Raises
        ------
        ArtefactError
            If there is none, or what it says cannot be read.
        """
        return Manifest.model_validate_json(self._text(self.folder(strategy_id, model_id), _INFO))

    def load(self, strategy_id: str, model_id: str) -> tuple[Model, Manifest]:
        """Return a stored model and its manifest.

        Raises
        ------
        ArtefactError
            If a file is missing or unreadable, or is not the one the manifest names.
        """
        folder = self.folder(strategy_id, model_id)
        texts = {name: self._text(folder, name) for name in (_MODEL, _INFO)}
        manifest = Manifest.model_validate_json(texts[_INFO])
        texts |= {name: self._text(folder, name) for name in manifest.files}
        for name, expected in {_MODEL: manifest.model_sha256, **manifest.files}.items():
            found = sha256_of(texts[name])
            if found != expected:
                raise ArtefactError(
                    f"expected {folder / name} with sha256 {expected}, found {found}: "
                    "the file was changed after training; find out by whom, or train it again with --retrain"
                )
        return read_model(manifest.kind, texts[_MODEL]), manifest

    def load_stage(
        self, strategy_id: str, stage: Literal["staging", "production"]
    ) -> tuple[Model, Manifest] | None:
        """Return the model on a stage, if there is one.

        Raises
        ------
        ArtefactError
            As `load`; or if it is not the model that was promoted.
        """
        book = self.book(strategy_id)
        model_id = book.at(stage)
        if model_id is None:
            return None
        model, manifest = self.load(strategy_id, model_id)
        if manifest.model_sha256 != book.sha256_of(model_id):
            raise ArtefactError(
                f"expected the {stage} model {model_id} with the sha256 it was promoted with, "
                f"{book.sha256_of(model_id)}, found {manifest.model_sha256}: it was replaced since; "
                "promote another, or roll back"
            )
        return model, manifest

    def book(self, strategy_id: str) -> StageBook:
        """Return the stages of a strategy's models.

        Raises
        ------
        ArtefactError
            If the book cannot be read.
        """
        path = self.folder(strategy_id, _STAGES)
        try:
            return StageBook.model_validate_json(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return StageBook()
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise ArtefactError(f"cannot read the stages in {path}: {error}; restore the file") from None

    def replace_book(self, strategy_id: str, book: StageBook, *, read_at_revision: int) -> bool:
        """Store the stages, unless they were changed since they were read; tell whether they were stored."""
        path = self.folder(strategy_id, _STAGES)
        with one_writer(self._lock(strategy_id)):
            if self.book(strategy_id).revision != read_at_revision:
                return False
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_file(path, book.model_dump_json(indent=1) + "\n")
        return True

    def _lock(self, strategy_id: str) -> Path:
        return self._root / f".{strategy_id}.lock"

    def _stands(self, manifest: Manifest) -> bool:
        try:
            _, standing = self.load(manifest.strategy_id, manifest.model_id)
        except ArtefactError:
            return False
        return (
            standing.model_sha256 == manifest.model_sha256 and standing.files.keys() == manifest.files.keys()
        )

    def _text(self, folder: Path, name: str) -> str:
        try:
            text = (folder / name).read_text(encoding="utf-8")
            if name == _INFO:
                Manifest.model_validate_json(text)
        except (OSError, UnicodeDecodeError, ValidationError) as error:
            raise ArtefactError(
                f"cannot read the model in {folder}: {error}; train it again with --retrain"
            ) from None
        return text


def _store(target: Path, texts: Mapping[str, str]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=target.parent) as workplace:
        draft = Path(workplace) / "new"
        draft.mkdir()
        for name, text in texts.items():
            write_file(draft / name, text)
        settle_folder(draft)
        if target.exists():
            target.rename(Path(workplace) / "old")
        try:
            draft.rename(target)
        except OSError:
            (Path(workplace) / "old").rename(target)
            raise
        settle_folder(target.parent)
