"""The kind ``data``: closed bars of the recipe's pairs, from the bus or from files."""

from quantbus_contracts.errors import ConfigError
from quantbus_research.dataset import TooFewBars, load_panel, panel_query, snapshot_id
from quantbus_research.dataset.freqtrade_files import load_freqtrade
from quantbus_research.settings import MarketSettings
from quantbus_research.settings.nodes import ArtefactType, DataSettings
from quantbus_research.workflows.nodes._base import (
    AS_OF,
    NEWEST,
    SNAPSHOT,
    Artefact,
    Context,
    Inputs,
    NodeKind,
    Reach,
)

__all__ = ["DATA"]


def run(inputs: Inputs, settings: DataSettings, context: Context) -> Artefact:
    """Load at most ``train_bars`` bars of each pair that were closed at ``context.as_of``.

    Raises
    ------
    TooFewBars
        If a pair has fewer than ``min_train_bars``.
    """
    market = context.recipe.market
    timeframe, instruments = market.bars, market.instruments
    asked = panel_query(instruments, timeframe, as_of=context.as_of, bars=settings.train_bars)
    if settings.source == "files":
        if settings.folder is None:
            raise ConfigError("folder: expected with source 'files'")
        panel = load_freqtrade(settings.folder, instruments, timeframe)
        opened = panel.index.get_level_values(1)
        panel = panel[(opened >= asked.start) & (opened < asked.end)]
    else:
        frames = context.session().frames
        panel = load_panel(
            frames, instruments, timeframe, as_of=context.as_of, bars=settings.train_bars
        ).sort_index()
    counts = {str(symbol): int(count) for symbol, count in panel.groupby(level=0).size().items()}
    _require_enough(counts, market, settings)
    times = panel.index.get_level_values(1)
    newest = times.to_series().groupby(panel.index.get_level_values(0)).max()
    return Artefact(
        ArtefactType.BARS,
        tables={"bars": panel},
        facts={
            SNAPSHOT: snapshot_id(panel, asked),
            AS_OF: timeframe.close_of(times.max().to_pydatetime()).isoformat(),
            NEWEST: {str(symbol): moment.isoformat() for symbol, moment in newest.items()},
            "bars": dict(counts),
            "first_open_time": times.min().isoformat(),
            "last_open_time": times.max().isoformat(),
        },
    )


def _require_enough(counts: dict[str, int], market: MarketSettings, settings: DataSettings) -> None:
    short = {
        item.pair: counts.get(item.symbol, 0)
        for item in market.instruments
        if counts.get(item.symbol, 0) < settings.min_train_bars
    }
    if short:
        told = ", ".join(f"{pair} has {count}" for pair, count in short.items())
        raise TooFewBars(
            f"expected at least {settings.min_train_bars} {market.timeframe} bars of each pair, but {told}; "
            "bring them in with `quantbus ingest backfill` or `quantbus ingest import`"
        )


DATA = NodeKind(DataSettings, run, reach=Reach.READS)
