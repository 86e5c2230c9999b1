"""A panel as Qlib's data handler: our factors and labels, no second copy on disk, no second definition.

By class path, so that a file for ``qrun`` can name it:

    handler: {class: SnapshotHandler, module_path: quantbus_research.engine.handler, kwargs: {…}}
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from qlib.data.dataset.handler import DataHandlerLP
from qlib.data.dataset.loader import StaticDataLoader

from quantbus_contracts.errors import ConfigError
from quantbus_contracts.market import Snapshot
from quantbus_contracts.timeframe import Timeframe
from quantbus_research.factors import compute
from quantbus_research.labels import forward_return

__all__ = ["PanelHandler", "SnapshotHandler", "table_of"]

LABEL = "LABEL0"
_FEATURE_STEPS = (
    {"class": "CrossSectionZScore", "kwargs": {"fields_group": "feature"}},
    {"class": "FillWithMiddle", "kwargs": {"fields_group": "feature"}},
)
_LEARN_STEPS = (
    {"class": "DropIncomplete", "kwargs": {"fields_group": "label"}},
    {"class": "CrossSectionZScore", "kwargs": {"fields_group": "label"}},
)
_HOME = "quantbus_research.engine.processors"


def table_of(
    panel: pd.DataFrame,
    codes: Mapping[str, str],
    factors: Sequence[str],
    timeframe: Timeframe,
    horizon_bars: int,
) -> pd.DataFrame:
    """Return factors and label as Qlib wants them.

    Returns
    -------
    DataFrame
        Indexed by (datetime = bar open time without a zone (UTC), instrument), sorted; columns (``feature``, factor)
        and (``label``, ``LABEL0``): the return from the open after the bar to the open ``horizon_bars`` later, which
        is what a deal at the next open earns. NaN where it does not exist; `forward_return` says when
        it is known.
    """
    features = compute(panel, factors)
    label = forward_return(panel, timeframe, horizon_bars, entry="next_open").values
    table = pd.concat({"feature": features, "label": label.to_frame(LABEL)}, axis=1)
    opened = pd.DatetimeIndex(table.index.get_level_values(1)).tz_localize(None).as_unit("ns")
    instruments = table.index.get_level_values(0).map(dict(codes))
    if instruments.hasnans:
        unnamed = sorted(set(table.index.get_level_values(0).unique()) - codes.keys())
        raise ConfigError(f"expected a Qlib name for every symbol, found none for {', '.join(unnamed)}")
    table.index = pd.MultiIndex.from_arrays([opened, instruments], names=["datetime", "instrument"])
    return table.sort_index()


class PanelHandler(DataHandlerLP):  # type: ignore[misc]  # Qlib is untyped
    """Serves a panel that is in memory."""

    def __init__(
        self,
        panel: pd.DataFrame,
        codes: Mapping[str, str],
        factors: Sequence[str],
        timeframe: str,
        *,
        horizon_bars: int = 1,
        infer_processors: Sequence[Any] = _FEATURE_STEPS,
        learn_processors: Sequence[Any] = _LEARN_STEPS,
        **others: Any,  # noqa: ANN401
    ) -> None:
        """Compute ``factors`` and the label once; ``others`` are `DataHandlerLP`'s."""
        table = table_of(panel, codes, factors, Timeframe.parse(timeframe), horizon_bars)
        super().__init__(
            data_loader=StaticDataLoader(table),
            infer_processors=[_placed(step) for step in infer_processors],
            learn_processors=[_placed(step) for step in learn_processors],
            **others,
        )


class SnapshotHandler(PanelHandler):
    """Serves a snapshot, named by its folder: what a model learnt from can be had again."""

    def __init__(
        self,
        snapshot: str,
        factors: Sequence[str],
        codes: Mapping[str, str],
        **others: Any,  # noqa: ANN401
    ) -> None:
        """Read the bars of the snapshot; see `PanelHandler`.

        Raises
        ------
        ArtefactError
            If the snapshot is missing or damaged.
        """
        held = Snapshot.open(Path(snapshot))
        super().__init__(held.table(), codes, factors, str(held.meta.query["timeframe"]), **others)


def _placed(step: Any) -> Any:  # noqa: ANN401
    if isinstance(step, Mapping) and "module_path" not in step:
        ours = {"CrossSectionZScore", "DropIncomplete", "FillWithMiddle"}
        return {**step, "module_path": _HOME} if step["class"] in ours else dict(step)
    return step
