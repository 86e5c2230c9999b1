"""Registry: models on disk, each with papers that say how it came to be, and the stages they stand on."""

from quantbus_research.registry.baseline import Baseline, Distribution
from quantbus_research.registry.card import card_json, card_markdown, features_json
from quantbus_research.registry.code_version import code_version
from quantbus_research.registry.durable import one_writer, replace_file, settle_folder, write_file
from quantbus_research.registry.folder import ModelRegistry, sha256_of
from quantbus_research.registry.manifest import DataSpan, Manifest, model_id_of
from quantbus_research.registry.stages import Stage, StageBook, StageChange

__all__ = [
    "Baseline",
    "DataSpan",
    "Distribution",
    "Manifest",
    "ModelRegistry",
    "Stage",
    "StageBook",
    "StageChange",
    "card_json",
    "card_markdown",
    "code_version",
    "features_json",
    "model_id_of",
    "one_writer",
    "replace_file",
    "settle_folder",
    "sha256_of",
    "write_file",
]
