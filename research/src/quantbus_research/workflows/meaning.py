"""What a recipe means: all that decides what comes out, and nothing that changes only how."""

import hashlib
import json

from quantbus_research.settings import Recipe

__all__ = ["meaning_hash", "meaning_of"]


def meaning_of(recipe: Recipe) -> dict[str, object]:
    """Return the recipe without what changes only how it is computed."""
    told = recipe.model_dump(mode="json", exclude={"nodes", "description"})
    nodes = {name: {**node.meaning(), "inputs": list(node.inputs)} for name, node in recipe.nodes.items()}
    return {**told, "nodes": nodes}


def meaning_hash(recipe: Recipe) -> str:
    """Return a hash of the recipe without what changes only how it is computed."""
    return hashlib.sha256(json.dumps(meaning_of(recipe), sort_keys=True).encode()).hexdigest()
