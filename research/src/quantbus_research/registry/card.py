"""The model card: what a person should know before trusting a model, as Markdown and as JSON; and its features."""

import json
from collections.abc import Sequence

from quantbus_research.factors import Factor
from quantbus_research.registry.manifest import Manifest

__all__ = ["card_json", "card_markdown", "features_json"]


def features_json(factors: Sequence[Factor]) -> str:
    """Say what the model's columns are, in their order; the signature changes with the meaning."""
    told = [
        {
            "name": factor.name,
            "family": factor.family,
            "unit": factor.unit,
            "formula": factor.formula,
            "inputs": list(factor.inputs),
            "lookback_bars": factor.lookback_bars,
            "signature": factor.signature,
        }
        for factor in factors
    ]
    return json.dumps({"format": 1, "features": told}, indent=1) + "\n"


def card_json(manifest: Manifest) -> str:
    """Return the card for machines."""
    fields = {
        "model_id",
        "strategy_id",
        "kind",
        "trained_at",
        "code_version",
        "libraries",
        "seed",
        "data",
        "label",
        "factors",
        "metrics",
        "limits",
        "description",
    }
    return manifest.model_dump_json(indent=1, include=fields) + "\n"


def card_markdown(manifest: Manifest) -> str:
    """Return the card for people."""
    data = manifest.data
    bars = ", ".join(f"{symbol} {count:,}" for symbol, count in data.bars.items())
    metrics = [
        f"| {name} | {'not to be had' if value is None else value} |"
        for name, value in manifest.metrics.items()
    ]
    lines = [
        f"# Model {manifest.model_id} of {manifest.strategy_id}",
        "",
        f"- Family: {manifest.kind}; "
        + ", ".join(f"{name} {value}" for name, value in manifest.description.items()),
        f"- Learns: {manifest.label}",
        f"- Data: {data.timeframe} bars that opened from {data.first_open_time:%Y-%m-%d %H:%M} to "
        f"{data.last_open_time:%Y-%m-%d %H:%M} UTC ({bars}); snapshot `{data.snapshot_id}`",
        f"- Trained: {manifest.trained_at:%Y-%m-%d %H:%M:%S} UTC, seed {manifest.seed}, code {manifest.code_version}, "
        + ", ".join(f"{name} {number}" for name, number in manifest.libraries.items()),
        f"- SHA-256 of the model: `{manifest.model_sha256}`",
        "",
        "## Figures",
        "",
        "Of a model fitted on the older part of the bars and judged on the newer; this model is fitted on both.",
        "",
        "| figure | value |",
        "|---|---|",
        *metrics,
        "",
        "## Known limits",
        "",
        *[f"- {limit}" for limit in manifest.limits],
        "",
        "## Features",
        "",
        *[f"- `{name}` (signature `{signature}`)" for name, signature in manifest.factors.items()],
    ]
    return "\n".join(lines) + "\n"
