"""Qlib models walked forward over one table: each learns from the past, stops by the bars after it, speaks of the next.

Training, validation and the stretch that is spoken about are kept apart by the reach of the label.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.engine.opening import unrecorded
from quantbus_research.engine.task import Segments

__all__ = ["Rolled", "rolled", "rolling_segments"]

_STEPS = (("CrossSectionZScore", "feature"), ("FillWithMiddle", "feature"))
_LEARN_STEPS = (("DropIncomplete", "label"), ("CrossSectionZScore", "label"))
_HOME = "quantbus_research.engine.processors"


@dataclass(frozen=True, slots=True)
class Rolled:
    """What the models said.

    Attributes
    ----------
    scores
        By (symbol, datetime = bar open time, UTC); of any size, to be compared within a bar.
    newest
        The model of the last stretch as LightGBM's text; None for other families.
    """

    scores: pd.Series
    newest: str | None


def rolling_segments(
    times: pd.DatetimeIndex,
    timeframe: Timeframe,
    *,
    train_bars: int,
    valid_bars: int,
    test_bars: int,
    horizon_bars: int,
) -> list[Segments]:
    """Return the periods of each stretch, to the newest bar.

    Raises
    ------
    ConfigError
        If there are too few bars for one.
    """
    bar = timeframe.delta
    apart = (horizon_bars + 1) * bar
    needed = (train_bars + valid_bars) * bar + 2 * apart
    first, last = times.min(), times.max()
    start = (first + needed).ceil(test_bars * bar)
    if start > last:
        raise ConfigError(
            f"expected more than {needed // bar} bars to train and validate on, and some to speak about, found "
            f"{(last - first) // bar + 1}"
        )
    found = []
    while start <= last:
        validated = start - apart
        validating = validated - (valid_bars - 1) * bar
        trained = validating - apart
        found.append(
            Segments(
                train=(trained - (train_bars - 1) * bar, trained),
                valid=(validating, validated),
                test=(start, min(start + (test_bars - 1) * bar, last)),
            )
        )
        start = start + test_bars * bar
    return found


def rolled(
    features: pd.DataFrame,
    label: pd.Series,
    segments: Sequence[Segments],
    model: Mapping[str, Any],
    timeframe: Timeframe,
    horizon_bars: int,
) -> Rolled:
    """Fit Qlib's ``model`` (by class path) on each stretch's past, and take what it says of the stretch.

    Parameters
    ----------
    features, label
        By (symbol, datetime = bar open time, UTC); the label NaN where it is not known.

    Raises
    ------
    ConfigError
        If the extra ``qlib`` is missing, there is no such class, or periods overlap through their labels.
    """
    for one in segments:
        one.require_apart(timeframe, horizon_bars)
    parts, newest = [], None
    with unrecorded():
        handler = _handler(features, label)
        for one in segments:
            said, fitted = _speak(handler, one, model)
            parts.append(said)
            booster = getattr(fitted, "model", None)
            newest = None if booster is None else _text_of(booster)
    scores = pd.concat(parts)
    opened = pd.DatetimeIndex(scores.index.get_level_values(0)).tz_localize("UTC").as_unit("ms")
    index = pd.MultiIndex.from_arrays(
        [scores.index.get_level_values(1), opened], names=["symbol", "datetime"]
    )
    values = scores.to_numpy(np.float64)
    return Rolled(pd.Series(values, index=index, name="score").sort_index(), newest)


def _handler(features: pd.DataFrame, label: pd.Series) -> Any:  # noqa: ANN401
    """Return the table behind Qlib's own handler, with steps that compare a row with those of its bar only."""
    from qlib.data.dataset.handler import DataHandlerLP
    from qlib.data.dataset.loader import StaticDataLoader

    table = pd.concat({"feature": features, "label": label.to_frame("LABEL0")}, axis=1)
    opened = pd.DatetimeIndex(table.index.get_level_values(1)).tz_localize(None).as_unit("ns")
    table.index = pd.MultiIndex.from_arrays(
        [opened, table.index.get_level_values(0)], names=["datetime", "instrument"]
    )
    return DataHandlerLP(
        data_loader=StaticDataLoader(table.sort_index()),
        infer_processors=_placed(_STEPS),
        learn_processors=_placed(_LEARN_STEPS),
        drop_raw=True,
    )


def _placed(steps: Sequence[tuple[str, str]]) -> list[dict[str, Any]]:
    return [{"class": name, "module_path": _HOME, "kwargs": {"fields_group": group}} for name, group in steps]


def _speak(handler: Any, segments: Segments, model: Mapping[str, Any]) -> tuple[pd.Series, Any]:  # noqa: ANN401
    from qlib.data.dataset import DatasetH
    from qlib.utils import init_instance_by_config

    spans = {"train": segments.train, "valid": segments.valid, "test": segments.test}
    dataset = DatasetH(
        handler,
        segments={
            name: tuple(moment.tz_convert("UTC").tz_localize(None) for moment in span)
            for name, span in spans.items()
        },
    )
    try:
        fitted = init_instance_by_config(dict(model))
    except (ImportError, AttributeError, TypeError) as error:
        told = f"{model['module_path']}.{model['class']}"
        raise ConfigError(f"expected a model of Qlib's, found {told!r}: {error}") from None
    fitted.fit(dataset)
    said = fitted.predict(dataset, segment="test")
    return said if isinstance(said, pd.Series) else said.iloc[:, 0], fitted


def _text_of(booster: Any) -> str | None:  # noqa: ANN401
    return str(booster.model_to_string()) if hasattr(booster, "model_to_string") else None
