"""Registry: models on disk, each with a manifest that says how it came to be."""

from quantbus_research.registry.code_version import code_version
from quantbus_research.registry.folder import ModelRegistry, sha256_of
from quantbus_research.registry.manifest import DataSpan, Manifest, model_id_of

__all__ = ["DataSpan", "Manifest", "ModelRegistry", "code_version", "model_id_of", "sha256_of"]
