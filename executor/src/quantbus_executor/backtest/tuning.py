"""Parameters of hyperopt as rules. They count there alone: what is found is put into the config by a person."""

from collections.abc import Mapping
from dataclasses import replace

from quantbus_contracts.policy import Confidence, SoftScale, TradingRules

__all__ = ["PARAMETERS", "tuned"]

PARAMETERS = ("tolerance_bars", "score_entry", "score_band", "scale_floor", "scale_full_at")
"""Names of the strategy's parameters. ``score_band`` is how far ``score_exit`` lies below ``score_entry``."""

_DIGITS = 9


def tuned(rules: TradingRules, values: Mapping[str, float]) -> TradingRules:
    """Return ``rules`` with the parameters in ``values`` in place of what they say; other names are left alone.

    The scale is tuned where stakes follow the score at all.
    """
    entry = float(values.get("score_entry", rules.score_entry))
    band = float(values.get("score_band", rules.score_entry - rules.score_exit))
    return replace(
        rules,
        tolerance_bars=int(values.get("tolerance_bars", rules.tolerance_bars)),
        score_entry=entry,
        score_exit=max(-1.0, round(entry - band, _DIGITS)),
        confidence=_tuned_confidence(rules.confidence, values),
    )


def _tuned_confidence(confidence: Confidence, values: Mapping[str, float]) -> Confidence:
    if confidence.scale is None:
        return confidence
    scale = SoftScale(
        floor=float(values.get("scale_floor", confidence.scale.floor)),
        full_at=float(values.get("scale_full_at", confidence.scale.full_at)),
    )
    return replace(confidence, scale=scale)
